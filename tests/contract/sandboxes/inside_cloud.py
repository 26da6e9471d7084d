"""What the learner's code does with the service `aws` in the contract tests: this text is a cell of a notebook."""

from __future__ import annotations

import io
import json
import os
import time
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

import boto3
import botocore.exceptions

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def until(check: Callable[[], Any], seconds: float = 45.0) -> Any:
    """What `check` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def identity() -> list[str]:
    return [boto3.client("sts").get_caller_identity()["Account"], boto3.session.Session().region_name]


def bucket(name: str) -> None:
    where = {"LocationConstraint": os.environ["AWS_REGION"]}
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=where)


def objects(name: str, count: int) -> list[Any]:
    """Files in S3, with versions and a page at a time."""
    bucket(name)
    s3 = boto3.client("s3")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for number in range(count):
        s3.put_object(Bucket=name, Key=f"part/{number}", Body=str(number).encode())
    s3.put_object(Bucket=name, Key="part/0", Body=b"again")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 3})
    keys = [entry["Key"] for page in pages for entry in page["Contents"]]
    versions = s3.list_object_versions(Bucket=name, Prefix="part/0")["Versions"]
    s3.upload_fileobj(io.BytesIO(b"x" * 9_000_000), name, "large")
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "part/0"})
    with urllib.request.urlopen(signed, timeout=60) as answer:
        body = answer.read().decode()
    return [len(keys), len(versions), s3.head_object(Bucket=name, Key="large")["ContentLength"], body]


def table() -> list[Any]:
    """DynamoDB: a condition that fails, a query, a transaction."""
    dynamodb = boto3.resource("dynamodb")
    orders = dynamodb.create_table(
        TableName="orders",
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(5):
        orders.put_item(Item={"customer": "ada", "number": number, "total": number * 10})
    try:
        orders.put_item(
            Item={"customer": "ada", "number": 1}, ConditionExpression="attribute_not_exists(customer)"
        )
        refused = "nothing"
    except botocore.exceptions.ClientError as error:
        refused = error.response["Error"]["Code"]
    condition = boto3.dynamodb.conditions.Key("customer").eq("ada") & boto3.dynamodb.conditions.Key(
        "number"
    ).gt(2)
    found = [int(item["total"]) for item in orders.query(KeyConditionExpression=condition)["Items"]]
    key = {"customer": {"S": "ada"}, "number": {"N": "9"}}
    boto3.client("dynamodb").transact_write_items(
        TransactItems=[{"Put": {"TableName": "orders", "Item": key | {"total": {"N": "90"}}}}]
    )
    return [refused, found, int(orders.get_item(Key={"customer": "ada", "number": 9})["Item"]["total"])]


def fan_out() -> list[Any]:
    """SNS to two queues, one of which filters; a message that is not deleted comes back and ends in the dead letter queue."""
    sqs, topic = boto3.client("sqs"), boto3.client("sns").create_topic(Name="orders")["TopicArn"]

    def queue(name: str, **attributes: str) -> tuple[str, str]:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    dead, dead_arn = queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": "1"})
    every, every_arn = queue("every", VisibilityTimeout="1", RedrivePolicy=redrive)
    large, large_arn = queue("large")
    sns = boto3.client("sns")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=every_arn, Attributes={"RawMessageDelivery": "true"})
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=large_arn,
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"size": ["large"]})},
    )
    for size in ("small", "large"):
        attributes = {"size": {"DataType": "String", "StringValue": size}}
        sns.publish(TopicArn=topic, Message=size, MessageAttributes=attributes)

    def bodies(url: str) -> list[str]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        return sorted(message["Body"] for message in answer.get("Messages", []))

    first = bodies(every)
    filtered = bodies(large)
    time.sleep(1.2)
    bodies(every)
    return [first, filtered, until(lambda: bodies(dead))]


def invoke() -> Any:
    """Lambda takes a function; without containers its code is not run: the answer is the event."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("main.py", "def handler(event, context):\n    return {'doubled': event['number'] * 2}\n")
    role = boto3.client("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    functions = boto3.client("lambda")
    functions.create_function(
        FunctionName="double",
        Runtime="python3.11",
        Role=role,
        Handler="main.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    answer = functions.invoke(FunctionName="double", Payload=json.dumps({"number": 21}))
    return [answer["StatusCode"], json.loads(answer["Payload"].read())]


def state_machine() -> Any:
    """Step Functions run: a choice, and a state that sends to a queue."""
    queue = boto3.client("sqs").create_queue(QueueName="steps")["QueueUrl"]
    definition = {
        "StartAt": "Which",
        "States": {
            "Which": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.total", "NumericGreaterThan": 100, "Next": "Tell"}],
                "Default": "Small",
            },
            "Small": {"Type": "Pass", "Result": {"order": "small"}, "End": True},
            "Tell": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Parameters": {"QueueUrl": queue, "MessageBody.$": "States.Format('total {}', $.total)"},
                "ResultPath": None,
                "Next": "Large",
            },
            "Large": {"Type": "Pass", "Result": {"order": "large"}, "End": True},
        },
    }
    states = boto3.client("stepfunctions")
    machine = states.create_state_machine(
        name="orders", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/runner"
    )["stateMachineArn"]
    outputs = []
    for total in (5, 500):
        # moto gives runs without a name all the same one.
        started = states.start_execution(
            stateMachineArn=machine, name=f"run-{total}", input=json.dumps({"total": total})
        )
        run = started["executionArn"]
        until(lambda run=run: states.describe_execution(executionArn=run)["status"] != "RUNNING")
        done = states.describe_execution(executionArn=run)
        outputs.append([done["status"], json.loads(done.get("output", "null"))])
    messages = boto3.client("sqs").receive_message(QueueUrl=queue).get("Messages", [])
    return [outputs, [message["Body"] for message in messages]]


def stack() -> Any:
    """CloudFormation makes, changes and removes what a template says."""
    template: dict[str, Any] = {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Name}-jobs"}}},
            "Files": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "${Name}-files"}}},
        },
        "Outputs": {"QueueUrl": {"Value": {"Ref": "Queue"}}},
    }
    cloudformation = boto3.client("cloudformation")
    parameters = [{"ParameterKey": "Name", "ParameterValue": "stacked"}]
    cloudformation.create_stack(StackName="shop", TemplateBody=json.dumps(template), Parameters=parameters)
    described = cloudformation.describe_stacks(StackName="shop")["Stacks"][0]
    buckets = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    del template["Resources"]["Files"]
    cloudformation.update_stack(StackName="shop", TemplateBody=json.dumps(template), Parameters=parameters)
    left = [
        each["LogicalResourceId"]
        for each in cloudformation.list_stack_resources(StackName="shop")["StackResourceSummaries"]
    ]
    cloudformation.delete_stack(StackName="shop")
    queues = boto3.client("sqs").list_queues(QueueNamePrefix="stacked").get("QueueUrls", [])
    url = described["Outputs"][0]["OutputValue"]
    return [described["StackStatus"], url.rsplit("/", 1)[-1], "stacked-files" in buckets, left, queues]


def secret() -> Any:
    """Secrets Manager keeps the version before."""
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="database", SecretString="first")
    secrets.put_secret_value(SecretId="database", SecretString="second")
    return [
        secrets.get_secret_value(SecretId="database", VersionStage=stage)["SecretString"]
        for stage in ("AWSCURRENT", "AWSPREVIOUS")
    ]


def event() -> Any:
    """EventBridge leads events that match a pattern to a queue."""
    sqs, events = boto3.client("sqs"), boto3.client("events")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name="placed", EventPattern=json.dumps({"source": ["shop"], "detail": {"kind": ["placed"]}})
    )
    events.put_targets(Rule="placed", Targets=[{"Id": "queue", "Arn": arn}])
    for kind in ("placed", "paid"):
        detail = json.dumps({"kind": kind})
        events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": detail}])
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    return [json.loads(message["Body"])["detail"]["kind"] for message in messages]


def name() -> Any:
    """Route 53 keeps records."""
    route53 = boto3.client("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    record = {"Name": "www.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    changes = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [each["ResourceRecords"][0]["Value"] for each in records if each["Type"] == "A"]


def policy() -> Any:
    """IAM has AWS's own policies, and refuses what is no policy."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="reader", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    attached = iam.list_attached_role_policies(RoleName="reader")["AttachedPolicies"]
    try:
        iam.create_policy(PolicyName="wrong", PolicyDocument=json.dumps({"Statement": [{"Effect": "Maybe"}]}))
        refused = "nothing"
    except botocore.exceptions.ClientError as error:
        refused = error.response["Error"]["Code"]
    return [[each["PolicyName"] for each in attached], refused]


def gateway() -> Any:
    """API Gateway: a stage that answers by itself."""
    api = boto3.client("apigateway")
    made = api.create_rest_api(name="shop")["id"]
    root = api.get_resources(restApiId=made)["items"][0]["id"]
    resource = api.create_resource(restApiId=made, parentId=root, pathPart="health")["id"]
    call = {"restApiId": made, "resourceId": resource, "httpMethod": "GET"}
    api.put_method(**call, authorizationType="NONE")
    api.put_method_response(**call, statusCode="200")
    api.put_integration(**call, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    api.put_integration_response(
        **call, statusCode="200", selectionPattern="", responseTemplates={"application/json": '{"state": "up"}'}
    )
    api.create_deployment(restApiId=made, stageName="prod")
    stages = [stage["stageName"] for stage in api.get_stages(restApiId=made)["item"]]
    return [stages, [each["path"] for each in api.get_resources(restApiId=made)["items"]]]


def watch() -> Any:
    """CloudWatch adds up metrics, and keeps logs."""
    watching, logs = boto3.client("cloudwatch"), boto3.client("logs")
    for value in (1.0, 2.0, 3.0):
        watching.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "orders", "Value": value}])
    now = time.time()
    statistics = watching.get_metric_statistics(
        Namespace="Shop",
        MetricName="orders",
        StartTime=now - 600,
        EndTime=now + 600,
        Period=1200,
        Statistics=["Sum", "Maximum"],
    )["Datapoints"]
    watching.put_metric_alarm(
        AlarmName="many",
        Namespace="Shop",
        MetricName="orders",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    logs.create_log_group(logGroupName="/shop")
    logs.create_log_stream(logGroupName="/shop", logStreamName="one")
    events = [{"timestamp": int(now * 1000), "message": text} for text in ("an error", "all well")]
    logs.put_log_events(logGroupName="/shop", logStreamName="one", logEvents=events)
    found = logs.filter_log_events(logGroupName="/shop", filterPattern="error")["events"]
    return [
        sum(each["Sum"] for each in statistics),
        [each["AlarmName"] for each in watching.describe_alarms()["MetricAlarms"]],
        [each["message"] for each in found],
    ]


def text_of(bucket: str, key: str) -> str:
    return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
