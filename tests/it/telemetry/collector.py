"""A collector of traces of another hand: it takes OTLP over HTTP in JSON and reads it by the official
definitions (PyPI's opentelemetry-proto), strictly. Each span is told as a line of JSON; what is no such
request is refused, and told as a line too."""

import base64
import http.server
import json
import sys
import threading

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def as_protobuf_has_it(value):
    """OTLP writes ids in hex where protobuf's own JSON has base64; all else is the same."""
    if isinstance(value, list):
        return [as_protobuf_has_it(item) for item in value]
    if not isinstance(value, dict):
        return value
    told = {key: as_protobuf_has_it(item) for key, item in value.items()}
    for key in IDS.keys() & told.keys():
        told[key] = base64.b64encode(bytes.fromhex(told[key])).decode()
    return told


def facts(attributes):
    return {fact.key: getattr(fact.value, fact.value.WhichOneof("value")) for fact in attributes}


def tell(line):
    print(json.dumps(line), flush=True)


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            if self.path != "/v1/traces" or self.headers["content-type"] != "application/json":
                raise ParseError(f"{self.path} {self.headers['content-type']}")
            request = ParseDict(as_protobuf_has_it(json.loads(body)), ExportTraceServiceRequest())
        except (ParseError, ValueError) as error:
            tell({"refused": str(error)})
            return self.answer(400)
        for of in request.resource_spans:
            resource = facts(of.resource.attributes)
            for scope in of.scope_spans:
                for span in scope.spans:
                    assert len(span.trace_id) == 16 and len(span.span_id) == 8
                    tell({
                        "service": resource["service.name"],
                        "trace": span.trace_id.hex(),
                        "span": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "name": span.name,
                        "kind": Span.SpanKind.Name(span.kind),
                        "status": Status.StatusCode.Name(span.status.code),
                        "took_ns": span.end_time_unix_nano - span.start_time_unix_nano,
                        "began_ns": span.start_time_unix_nano,
                        "facts": facts(span.attributes),
                        "links": [[link.trace_id.hex(), link.span_id.hex()] for link in span.links],
                    })
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
server.shutdown()
