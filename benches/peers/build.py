"""A consumer for `fedora-messaging consume` that starts a build by python-jenkins."""

import os

import jenkins


class Build:
    """Starts the job for each message; stores nothing."""

    def __init__(self):
        self.jenkins = jenkins.Jenkins(os.environ["BENCH_JENKINS"])

    def __call__(self, message):
        proposal = message.body["pullrequest"]
        parameters = {
            "BRANCH": proposal["branch_from"],
            "HEAD": proposal["commit_stop"],
        }
        self.jenkins.build_job("pull-request", parameters)
