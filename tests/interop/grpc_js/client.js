// The canonical interop cases as @grpc/grpc-js runs them: node client.js ADDRESS PROTO CASE
// Exit code 0 if the case holds; otherwise the reason is on stderr.
'use strict';

const assert = require('node:assert');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const [address, protoFile, caseName] = process.argv.slice(2);
const definition = protoLoader.loadSync(protoFile, { keepCase: true, defaults: true, enums: String });
const testing = grpc.loadPackageDefinition(definition).grpc.testing;
const GZIP = { 'grpc.default_compression_algorithm': 2 };
const INITIAL_KEY = 'x-grpc-test-echo-initial';
const TRAILING_KEY = 'x-grpc-test-echo-trailing-bin';
const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const RESPONSE_SIZES = [31415, 9, 2653, 58979];
const SPECIAL_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';

const clients = [];
function client(Service = testing.TestService, options = {}) {
  clients.push(new Service(address, grpc.credentials.createInsecure(), options));
  return clients.at(-1);
}

const payload = (size) => ({ body: Buffer.alloc(size) });
const wishes = (sizes) => ({ response_parameters: sizes.map((size) => ({ size })) });

// Resolves to {error, response, initial, status} once the whole call is over.
function unary(stub, method, request, metadata = new grpc.Metadata()) {
  return new Promise((resolve) => {
    const result = {};
    const call = stub[method](request, metadata, (error, response) => Object.assign(result, { error, response }));
    watch(call, result, resolve);
  });
}

function watch(call, result, resolve) {
  call.on('metadata', (initial) => { result.initial = initial; });
  // The callback may come after the status: wait one turn.
  call.on('status', (status) => { result.status = status; setImmediate(() => resolve(result)); });
}

function clientStream(stub, requests) {
  return new Promise((resolve) => {
    const result = {};
    const call = stub.StreamingInputCall((error, response) => Object.assign(result, { error, response }));
    watch(call, result, resolve);
    requests.forEach((request) => call.write(request));
    call.end();
  });
}

// `react(call, n)` is called after each response, n counting from 1.
function stream(call, react = () => {}) {
  return new Promise((resolve) => {
    const result = { sizes: [] };
    call.on('data', (response) => {
      result.sizes.push(response.payload.body.length);
      react(call, result.sizes.length);
    });
    call.on('error', (error) => { result.error = error; });
    watch(call, result, resolve);
  });
}

function expectCode(result, code) {
  assert.strictEqual(result.status.code, code, `${grpc.status[result.status.code]}: ${result.status.details}`);
}

async function expectStatus(code, message) {
  const response_status = { code, message };
  const duplex = client().FullDuplexCall();
  const streamed = stream(duplex);
  duplex.write({ response_status });
  duplex.end();
  for (const result of [await unary(client(), 'UnaryCall', { response_status }), await streamed]) {
    expectCode(result, code);
    assert.strictEqual(result.status.details, message);
  }
}

const cases = {
  async empty_unary() {
    const result = await unary(client(), 'EmptyCall', {});
    expectCode(result, grpc.status.OK);
    assert.deepStrictEqual(result.response, {});
  },

  async large_unary() {
    const request = { response_size: LARGE_RESPONSE, payload: payload(LARGE_REQUEST) };
    const result = await unary(client(), 'UnaryCall', request);
    expectCode(result, grpc.status.OK);
    assert.strictEqual(result.response.payload.body.length, LARGE_RESPONSE);
  },

  async client_streaming() {
    const result = await clientStream(client(), REQUEST_SIZES.map((size) => ({ payload: payload(size) })));
    expectCode(result, grpc.status.OK);
    assert.strictEqual(result.response.aggregated_payload_size, 74922);
  },

  async server_streaming() {
    const result = await stream(client().StreamingOutputCall(wishes(RESPONSE_SIZES)));
    expectCode(result, grpc.status.OK);
    assert.deepStrictEqual(result.sizes, RESPONSE_SIZES);
  },

  async ping_pong() {
    const send = (call, n) => {
      if (n === REQUEST_SIZES.length) call.end();
      else call.write({ ...wishes([RESPONSE_SIZES[n]]), payload: payload(REQUEST_SIZES[n]) });
    };
    const call = client().FullDuplexCall();
    const over = stream(call, send);
    send(call, 0);
    const result = await over;
    expectCode(result, grpc.status.OK);
    assert.deepStrictEqual(result.sizes, RESPONSE_SIZES);
  },

  async empty_stream() {
    const call = client().FullDuplexCall();
    const over = stream(call);
    call.end();
    const result = await over;
    expectCode(result, grpc.status.OK);
    assert.deepStrictEqual(result.sizes, []);
  },

  async client_compressed_unary() {
    const request = { response_size: LARGE_RESPONSE, payload: payload(LARGE_REQUEST) };
    const compressed = { ...request, expect_compressed: { value: true } };
    expectCode(await unary(client(), 'UnaryCall', compressed), grpc.status.INVALID_ARGUMENT);
    expectCode(await unary(client(testing.TestService, GZIP), 'UnaryCall', compressed), grpc.status.OK);
    const plain = { ...request, expect_compressed: { value: false } };
    expectCode(await unary(client(), 'UnaryCall', plain), grpc.status.OK);
  },

  async server_compressed_unary() {
    for (const value of [true, false]) {
      const request = { response_compressed: { value }, response_size: LARGE_RESPONSE };
      const result = await unary(client(), 'UnaryCall', request);
      expectCode(result, grpc.status.OK);
      assert.strictEqual(result.response.payload.body.length, LARGE_RESPONSE);
    }
  },

  // Every message of the call is compressed; see test_grpc_js.py for what is missing.
  async client_compressed_streaming_whole_call() {
    const probe = { expect_compressed: { value: true }, payload: payload(27182) };
    expectCode(await clientStream(client(), [probe]), grpc.status.INVALID_ARGUMENT);
    const second = { expect_compressed: { value: true }, payload: payload(45904) };
    const result = await clientStream(client(testing.TestService, GZIP), [probe, second]);
    expectCode(result, grpc.status.OK);
    assert.strictEqual(result.response.aggregated_payload_size, 73086);
  },

  async server_compressed_streaming() {
    const request = { response_parameters: [
      { size: 31415, compressed: { value: true } },
      { size: 92653, compressed: { value: false } },
    ] };
    const result = await stream(client().StreamingOutputCall(request));
    expectCode(result, grpc.status.OK);
    assert.deepStrictEqual(result.sizes, [31415, 92653]);
  },

  async cancel_after_begin() {
    const result = {};
    await new Promise((resolve) => {
      const call = client().StreamingInputCall((error) => { result.error = error; });
      watch(call, result, resolve);
      setImmediate(() => call.cancel());
    });
    expectCode(result, grpc.status.CANCELLED);
  },

  async cancel_after_first_response() {
    const call = client().FullDuplexCall();
    const over = stream(call, () => call.cancel());
    call.write({ ...wishes([31415]), payload: payload(27182) });
    const result = await over;
    expectCode(result, grpc.status.CANCELLED);
    assert.deepStrictEqual(result.sizes, [31415]);
  },

  async timeout_on_sleeping_server() {
    const call = client().FullDuplexCall({ deadline: Date.now() + 1 });
    const over = stream(call);
    const request = { response_parameters: [{ size: 31415, interval_us: 30000000 }], payload: payload(27182) };
    call.write(request);
    expectCode(await over, grpc.status.DEADLINE_EXCEEDED);
  },

  async custom_metadata() {
    const metadata = new grpc.Metadata();
    metadata.set(INITIAL_KEY, 'test_initial_metadata_value');
    metadata.set(TRAILING_KEY, Buffer.from([0xab, 0xab, 0xab]));
    const duplex = client().FullDuplexCall(metadata);
    const streamed = stream(duplex);
    duplex.write(wishes([1]));
    duplex.end();
    for (const result of [await unary(client(), 'UnaryCall', { response_size: 1 }, metadata), await streamed]) {
      expectCode(result, grpc.status.OK);
      assert.deepStrictEqual(result.initial.get(INITIAL_KEY), ['test_initial_metadata_value']);
      assert.deepStrictEqual(result.status.metadata.get(TRAILING_KEY), [Buffer.from([0xab, 0xab, 0xab])]);
    }
  },

  status_code_and_message: () => expectStatus(grpc.status.UNKNOWN, 'test status message'),

  special_status_message: () => expectStatus(grpc.status.UNKNOWN, SPECIAL_MESSAGE),

  async unimplemented_method() {
    expectCode(await unary(client(), 'UnimplementedCall', {}), grpc.status.UNIMPLEMENTED);
  },

  async unimplemented_service() {
    const stub = client(testing.UnimplementedService);
    expectCode(await unary(stub, 'UnimplementedCall', {}), grpc.status.UNIMPLEMENTED);
  },
};

cases[caseName]().then(
  () => clients.forEach((stub) => stub.close()),
  (error) => { console.error(error); process.exit(1); },
);
