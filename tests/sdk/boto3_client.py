"""A program as it runs in a container: boto3 with nothing but what the agent puts into its environment.

    boto3_client.py STS_ENDPOINT [EVERY_SECS]

For each line on standard input, or every so many seconds, it prints one line of JSON: the access key that it has now,
and who STS says it is.
"""

import json
import sys
import time

import boto3


def ticks(every):
    """A line now and then, for ever."""
    while True:
        yield ""
        time.sleep(every)


def main(endpoint, every=None):
    session = boto3.Session(region_name="us-east-1")
    credentials = session.get_credentials()
    sts = session.client("sts", endpoint_url=endpoint)
    for _line in ticks(float(every)) if every else sys.stdin:
        key = credentials.get_frozen_credentials().access_key
        print(json.dumps({"key": key, "arn": sts.get_caller_identity()["Arn"]}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
