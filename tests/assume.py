"""Takes on a role as a task does, and prints its credentials as environment variables.

`python tests/assume.py ROLE`, with AWS's usual variables for credentials, region and endpoint. Whoever runs this is no ECS:
the role is told to trust its account first.
"""

import json
import os
import sys

import boto3

[role] = sys.argv[1:]
aws = boto3.Session(region_name=os.environ["AWS_REGION"])
endpoint = os.environ["AWS_ENDPOINT_URL"]
account = aws.client("sts", endpoint_url=endpoint).get_caller_identity()["Account"]
trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
aws.client("iam", endpoint_url=endpoint).update_assume_role_policy(
    RoleName=role, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
)
arn = f"arn:aws:iam::{account}:role/{role}"
session = aws.client("sts", endpoint_url=endpoint).assume_role(RoleArn=arn, RoleSessionName="task")["Credentials"]
print(
    json.dumps(
        {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }
    )
)
