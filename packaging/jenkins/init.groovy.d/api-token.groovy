// Gives the user `pointsman` the API token that is in the secret, and takes back all others.
// Configuration as Code has no words for tokens.  The form is `11` and 32 hexadecimal digits.

import hudson.model.User
import jenkins.security.ApiTokenProperty

def token = new File('/run/secrets/jenkins_token').text.trim()
def user = User.getById('pointsman', true)
def property = user.getProperty(ApiTokenProperty)
if (property == null) {
    property = new ApiTokenProperty()
    user.addProperty(property)
}
property.tokenStore.revokeAllTokens()
property.addFixedNewToken('pointsman', token)
user.save()
