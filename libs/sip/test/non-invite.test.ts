import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from '../src/transaction/non-invite-client.ts'
import * as server from '../src/transaction/non-invite-server.ts'
import { bench, TCP, UDP } from './machine-bench.ts'

interface Answer {
  readonly name: string
}

const trying = (clock = UDP) =>
  bench<client.NonInviteClientState, client.NonInviteClientInput<Answer>>(
    client.start<Answer>(clock),
    client.step<Answer>,
    clock,
  )
const serving = (clock = UDP) =>
  bench<server.NonInviteServerState<Answer>, server.NonInviteServerInput<Answer>>(
    server.start<Answer>(),
    server.step<Answer>,
    clock,
  )
const response = (status: number) => ({ kind: 'response', status, response: { name: String(status) } }) as const
const respond = (status: number) => ({ kind: 'respond', status, response: { name: String(status) } }) as const

test('RFC 3261 17.1.2.2 timer E: over UDP a request is sent again at T1, 2*T1 … and then every T2', () => {
  const options = trying()
  options.advance(31_999)
  assert.deepEqual(
    options.log,
    [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map((at) => `${at} send request`),
  )
})

test('RFC 3261 17.1.2.2 timer E: after a provisional response the request is sent again every T2', () => {
  const options = trying()
  options.input(response(100))
  options.advance(9000)
  assert.deepEqual(options.log, [
    '0 send request',
    '0 to-user response 100',
    '500 send request',
    '4500 send request',
    '8500 send request',
  ])
})

test('RFC 3261 17.1.2.2 timer E does not run over a reliable transport', () => {
  const options = trying(TCP)
  options.advance(31_999)
  assert.deepEqual(options.log, ['0 send request'])
})

for (const [name, clock] of [
  ['UDP', UDP],
  ['TCP', TCP],
] as const) {
  test(`RFC 3261 17.1.2.2 timer F: without a final response the user hears of a timeout after 64*T1 over ${name}`, () => {
    for (const first of [undefined, response(100)]) {
      const options = trying(clock)
      if (first) options.input(first)
      options.advance(40_000)
      assert.deepEqual(options.log.slice(-2), ['32000 to-user timeout', '32000 terminated'])
      assert.equal(options.timers.size, 0)
    }
  })
}

test('RFC 3261 17.1.2.2 timer K: repeated responses are buffered for T4 over UDP', () => {
  const options = trying()
  options.input(response(200))
  options.input(response(200))
  options.advance(4999)
  assert.equal(options.state.kind, 'completed')
  options.advance(1)
  assert.deepEqual(options.log, ['0 send request', '0 to-user response 200', '5000 terminated'])
})

test('RFC 3261 17.1.2.2 timer K is zero over a reliable transport', () => {
  const options = trying(TCP)
  options.input(response(404))
  assert.deepEqual(options.log, ['0 send request', '0 to-user response 404', '0 terminated'])
  assert.equal(options.timers.size, 0)
})

test('RFC 3261 17.1.4 a transport error ends a client transaction and tells the user', () => {
  const options = trying()
  options.input({ kind: 'transport-error' })
  assert.deepEqual(options.log.slice(1), ['0 to-user transport-error', '0 terminated'])
  assert.equal(options.timers.size, 0)
})

test('RFC 3261 17.2.2 in the trying state a retransmission is discarded, later it gets the last response', () => {
  const register = serving()
  register.input({ kind: 'retransmission' })
  register.input(respond(100))
  register.input({ kind: 'retransmission' })
  register.input(respond(200))
  register.input({ kind: 'retransmission' })
  register.input(respond(500))
  assert.deepEqual(register.log, ['0 send 100', '0 send 100', '0 send 200', '0 send 200'])
})

test('RFC 3261 17.2.2 timer J: the final response is kept for 64*T1 over UDP', () => {
  const register = serving()
  register.input(respond(200))
  register.advance(31_999)
  assert.equal(register.state.kind, 'completed')
  register.advance(1)
  assert.deepEqual(register.log, ['0 send 200', '32000 terminated'])
})

test('RFC 3261 17.2.2 timer J is zero over a reliable transport', () => {
  const register = serving(TCP)
  register.input(respond(200))
  assert.deepEqual(register.log, ['0 send 200', '0 terminated'])
})

test('RFC 6026 8.8 a transport error tells the user of a server transaction and leaves its state', () => {
  const register = serving()
  register.input(respond(200))
  register.input({ kind: 'transport-error' })
  assert.equal(register.state.kind, 'completed')
  assert.equal(register.log.at(-1), '0 to-user transport-error')
})
