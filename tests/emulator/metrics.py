"""CloudWatch's GetMetricData in the order and the pages that were asked for."""

import json

from ministack.services import cloudwatch

import answers
import settings


def encoded(told, is_cbor, is_json):
    """MiniStack's answer in JSON, in the protocol of the request."""
    results = told["MetricDataResults"]
    if is_json:
        return cloudwatch._json_ok(told)
    if is_cbor:
        for result in results:
            result["Timestamps"] = [cloudwatch._cbor_timestamp(at) for at in result["Timestamps"]]
        return cloudwatch._cbor_ok(told)
    for result in results:
        result["Timestamps"] = [cloudwatch._ts_iso(at) for at in result["Timestamps"]]
    inner = f"<GetMetricDataResult>{answers.fields(told)}</GetMetricDataResult>"
    return cloudwatch._xml(200, "GetMetricDataResponse", inner)


def install():
    get = cloudwatch._get_metric_data

    def get_metric_data(params, data, is_cbor, is_json=False):
        asked = data if is_cbor or is_json else {key: values[0] for key, values in params.items()}
        if is_cbor or is_json:
            status, headers, body = get(params, data, False, True)
        else:
            status, headers, body = get(params, {"MetricDataQueries": form_queries(asked), **asked}, False, True)
        if status != 200:
            return status, headers, body
        results = json.loads(body)["MetricDataResults"]
        if asked.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            for result in results:
                result["Timestamps"].reverse()
                result["Values"].reverse()
        start = int(asked.get("NextToken") or 0)
        end = start + (settings.CURRENT["page_size"] or len(results) or 1)
        told = {"MetricDataResults": results[start:end]}
        if end < len(results):
            told["NextToken"] = str(end)
        return encoded(told, is_cbor, is_json)

    cloudwatch._get_metric_data = get_metric_data


def form_queries(form):
    """The queries of a request in the query protocol, which lists them member by member."""
    queries = []
    while f"MetricDataQueries.member.{len(queries) + 1}.Id" in form:
        prefix = f"MetricDataQueries.member.{len(queries) + 1}."
        metric = prefix + "MetricStat.Metric."
        dimensions = []
        while f"{metric}Dimensions.member.{len(dimensions) + 1}.Name" in form:
            dimension = f"{metric}Dimensions.member.{len(dimensions) + 1}."
            dimensions.append({"Name": form[dimension + "Name"], "Value": form[dimension + "Value"]})
        stat = {
            "Metric": {
                "Namespace": form.get(metric + "Namespace", ""),
                "MetricName": form.get(metric + "MetricName", ""),
                "Dimensions": dimensions,
            },
            "Period": int(form.get(prefix + "MetricStat.Period", 60)),
            "Stat": form.get(prefix + "MetricStat.Stat", "Average"),
        }
        is_wanted = form.get(prefix + "ReturnData") != "false"
        queries.append({"Id": form[prefix + "Id"], "ReturnData": is_wanted, "MetricStat": stat})
    return queries
