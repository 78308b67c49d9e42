"""What the self-test drives the emulator with: the AWS SDK that MiniStack brings, and the templates of this project."""

import itertools
import json
import pathlib
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import botocore.session
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
STAGING, PRODUCTION = "909617834444", "988897525199"
ACCOUNTS = itertools.count(200_000_000_001)
# The SDK repeats nothing by itself, so that a test sees each answer.
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30, s3={"addressing_style": "path"})
# A stack of a queue and what points at it.
QUEUE = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
    DeletionPolicy: RetainExceptOnCreate
    Properties: {QueueName: %s, VisibilityTimeout: %d}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", Action: "sqs:SendMessage"}]}
Outputs:
  Arn: {Value: !GetAtt Queue.Arn, Export: {Name: %s}}
"""


def queue(name, timeout=30, export=None):
    return QUEUE % (name, timeout, export or f"{name}-arn")


class Emulator:
    def __init__(self):
        program = [sys.executable, str(pathlib.Path(__file__).parent), "--port", "0"]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"
        self.session = botocore.session.Session()

    def ask(self, path, wanted=None):
        body = json.dumps({} if wanted is None else wanted).encode()
        with urllib.request.urlopen(f"{self.url}/_oort/{path}", body, timeout=30) as answer:
            return json.load(answer)

    def client(self, service, account):
        keys = {"aws_access_key_id": account, "aws_secret_access_key": "secret"}
        return self.session.create_client(service, "us-east-2", endpoint_url=self.url, config=ONCE, **keys)

    def query(self, service, account, form):
        """What a call in the query protocol answers, which the SDK no longer speaks with every service."""
        credential = f"Credential={account}/20261123/us-east-2/{service}/aws4_request"
        headers = {"authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"}
        request = urllib.request.Request(self.url, urllib.parse.urlencode(form).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


class Stacks:
    """CloudFormation in one account."""

    def __init__(self, emulator, account=None):
        self.emulator, self.account = emulator, account or str(next(ACCOUNTS))
        self.api = emulator.client("cloudformation", self.account)

    def offer(self, template):
        """Has Okta make the source that a template's bus accepts."""
        for line in template.splitlines():
            if "EventSourceName:" in line:
                name = line.partition(":")[2].strip()
                self.emulator.ask("offer", {"account": self.account, "name": name})
                return name
        return None

    def propose(self, stack, template, kind="CREATE", **more):
        options = {"Capabilities": ["CAPABILITY_NAMED_IAM"], "ChangeSetName": f"c{time.time_ns()}", **more}
        body = {} if "TemplateURL" in more else {"TemplateBody": template}
        return self.api.create_change_set(StackName=stack, ChangeSetType=kind, **body, **options)["Id"]

    def status(self, stack):
        return self.api.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]

    def settled(self, stack):
        """The status in which the stack's operation ends."""
        for _ in range(2000):
            status = self.status(stack)
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(0.01)
        raise AssertionError(f"{stack} is still {status}")

    def execute(self, stack, change_set, **more):
        self.api.execute_change_set(ChangeSetName=change_set, RetainExceptOnCreate=True, **more)
        return self.settled(stack)

    def deploy(self, stack, template, kind="CREATE", **more):
        return self.execute(stack, self.propose(stack, template, kind, **more))

    def failures(self, stack):
        """What failed, the newest first, as (resource, reason)."""
        told = self.api.describe_events(StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]
        return [(one["LogicalResourceId"], one.get("ResourceStatusReason")) for one in told]

    def drift(self, stack):
        """The drift status of a stack, and what CloudFormation found to be other than it should be."""
        detection = self.api.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
        told = self.api.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        assert told["DetectionStatus"] == "DETECTION_COMPLETE"
        wanted = {"StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
        changed = self.api.describe_stack_resource_drifts(StackName=stack, **wanted)["StackResourceDrifts"]
        return told["StackDriftStatus"], {one["LogicalResourceId"]: one for one in changed}

    def delete(self, stack):
        """Deletes a stack; gives the status in which that ends."""
        identity = self.api.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        self.api.delete_stack(StackName=stack)
        return self.settled(identity)

    def changes(self, change_set, **more):
        described = self.api.describe_change_set(ChangeSetName=change_set, **more)
        return {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in described["Changes"]}


def refusal(call, **arguments):
    """The code and message with which AWS refuses a call."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as refused:
        return refused.response["Error"]["Code"], refused.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} was not refused")
