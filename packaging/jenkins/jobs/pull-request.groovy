job('pull-request') {
    description('Merges a pull request into the branch that it wants to change, and runs `make check`.')
    parameters {
        stringParam('UPSTREAM', '', 'The repository that the pull request wants to change.')
        stringParam('TARGET', '', 'The branch that it wants to change.')
        stringParam('REPO', '', 'The repository that its commits are in.')
        stringParam('BRANCH', '', 'The branch that they are on.')
        stringParam('HEAD', '', 'The newest of them.')
        // Jenkins drops parameters that a job does not define, and this one finds the build again.
        stringParam('POINTSMAN_RUN', '', 'The run that Pointsman ordered this build for.')
    }
    concurrentBuild()
    quietPeriod(0)
    logRotator {
        daysToKeep(30)
        numToKeep(500)
    }
    steps {
        shell('exec build-pull-request')
    }
}
