// A client by connect-es, beside its node_modules and descriptors.binpb. It reads calls from stdin, each a line of JSON, and
// writes to stdout what it gets: a line for each message, and a last one with the code.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError, createClient } from "@connectrpc/connect";
import * as inNode from "@connectrpc/connect-node";
import * as inBrowsers from "@connectrpc/connect-web";

import { fetchOfPage } from "./page.mjs";

const descriptors = new URL("descriptors.binpb", import.meta.url);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const greetings = registry.getService("greetings.v1.GreetingService");
const badRequest = registry.getMessage("google.rpc.BadRequest");

const transports = {
  "gRPC": (baseUrl) => inNode.createGrpcTransport({ baseUrl }),
  "gRPC-Web by HTTP/1": (baseUrl) => inNode.createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web by HTTP/2": (baseUrl) => inNode.createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  "Connect by HTTP/1": (baseUrl) => inNode.createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect by HTTP/2": (baseUrl) => inNode.createConnectTransport({ baseUrl, httpVersion: "2" }),
  "gRPC-Web in a page": (baseUrl, fetch) => inBrowsers.createGrpcWebTransport({ baseUrl, fetch }),
  "Connect in a page": (baseUrl, fetch) => inBrowsers.createConnectTransport({ baseUrl, fetch }),
};

function tell(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

async function carryOut({ transport, origin, address, method, name, count, seconds }) {
  const client = createClient(greetings, transports[transport](`http://${address}`, fetchOfPage(origin)));
  const options = { timeoutMs: seconds * 1000 };
  if (method === "StreamGreetings") {
    for await (const { message } of client.streamGreetings({ name, count }, options)) {
      tell({ message });
    }
  } else {
    const { message } = await client[method.toLowerCase()]({ name }, options);
    tell({ message });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    await carryOut(JSON.parse(line));
    tell({ code: 0, detail: "", violations: [] });
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const violations = error.findDetails(badRequest).flatMap((detail) => detail.fieldViolations);
    tell({
      code: error.code,
      detail: error.rawMessage,
      violations: violations.map(({ field, description }) => ({ field, description })),
    });
  }
}
process.exit(); // connections that are kept would hold it
