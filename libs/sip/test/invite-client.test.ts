import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type InviteClientInput, type InviteClientState, start, step } from '../src/transaction/invite-client.ts'
import { bench, TCP, UDP } from './machine-bench.ts'

interface Answer {
  readonly name: string
}

const calling = (clock = UDP) =>
  bench<InviteClientState, InviteClientInput<Answer>>(start<Answer>(clock), step<Answer>, clock)
const response = (status: number, name = String(status)) => ({ kind: 'response', status, response: { name } }) as const

test('RFC 3261 17.1.1.2 timer A: over UDP the INVITE is sent again after T1, then at intervals that double', () => {
  const call = calling()
  call.advance(31_999)
  assert.deepEqual(
    call.log,
    [0, 500, 1500, 3500, 7500, 15_500, 31_500].map((at) => `${at} send request`),
  )
})

test('RFC 3261 17.1.1.2 timer A: over a reliable transport the INVITE is sent once', () => {
  const call = calling(TCP)
  call.advance(31_999)
  assert.deepEqual(call.log, ['0 send request'])
})

for (const [name, clock] of [
  ['UDP', UDP],
  ['TCP', TCP],
] as const) {
  test(`RFC 3261 17.1.1.2 timer B: without any answer the user hears of a timeout after 64*T1 over ${name}`, () => {
    const call = calling(clock)
    call.advance(40_000)
    assert.deepEqual(call.log.slice(-2), ['32000 to-user timeout', '32000 terminated'])
    assert.equal(call.timers.size, 0)
  })
}

test('RFC 3261 17.1.1.2 a provisional response stops timers A and B, and every provisional reaches the user', () => {
  const call = calling()
  call.input(response(100))
  call.advance(1000)
  call.input(response(180))
  call.advance(600_000)
  assert.deepEqual(call.log, ['0 send request', '0 to-user response 100', '1000 to-user response 180'])
  assert.equal(call.state.kind, 'proceeding')
  assert.equal(call.timers.size, 0)
})

test('RFC 3261 17.1.1.2 timer D: a 300-699 is acknowledged, its repetitions too, for at least 32 s over UDP', () => {
  const call = calling()
  call.input(response(180))
  call.input(response(486))
  call.advance(10_000)
  call.input(response(486))
  call.advance(21_999)
  assert.equal(call.state.kind, 'completed')
  call.advance(1)
  assert.deepEqual(call.log, [
    '0 send request',
    '0 to-user response 180',
    '0 send ack 486',
    '0 to-user response 486',
    '10000 send ack-again',
    '32000 terminated',
  ])
})

test('RFC 3261 17.1.1.2 timer D stays at 32 s when T1 is small', () => {
  const clock = { ...UDP, t1: 10 }
  const call = calling(clock)
  call.input(response(603))
  assert.equal(call.timers.get('D'), 32_000)
})

test('RFC 3261 17.1.1.2 timer D is zero over a reliable transport: the ACK goes out and the transaction is over', () => {
  const call = calling(TCP)
  call.input(response(404))
  assert.deepEqual(call.log, ['0 send request', '0 send ack 404', '0 to-user response 404', '0 terminated'])
})

test('RFC 6026 8.4 timer M: every 2xx reaches the user for 64*T1 after the first, and none is acknowledged here', () => {
  const call = calling()
  call.input(response(200, 'phone one'))
  call.advance(500)
  call.input(response(200, 'phone one'))
  call.input(response(200, 'phone two'))
  call.advance(31_499)
  assert.equal(call.state.kind, 'accepted')
  call.advance(1)
  assert.deepEqual(call.log, [
    '0 send request',
    '0 to-user response phone one',
    '500 to-user response phone one',
    '500 to-user response phone two',
    '32000 terminated',
  ])
})

test('RFC 6026 8.4 timer M runs over a reliable transport too', () => {
  const call = calling(TCP)
  call.input(response(200))
  assert.equal(call.timers.get('M'), 32_000)
})

test('RFC 3261 9.1 CANCEL waits for a provisional response', () => {
  const call = calling()
  call.input({ kind: 'cancel' })
  call.advance(700)
  assert.deepEqual(call.log, ['0 send request', '500 send request'])
  call.input(response(100))
  assert.deepEqual(call.log.slice(2), ['700 to-user response 100', '700 send cancel'])
  call.input(response(487))
  assert.deepEqual(call.log.slice(4), ['700 send ack 487', '700 to-user response 487'])
})

test('RFC 3261 9.1 CANCEL is sent once, and after 64*T1 without a final response the transaction is destroyed', () => {
  const call = calling()
  call.input(response(180))
  call.input({ kind: 'cancel' })
  call.input({ kind: 'cancel' })
  call.advance(32_000)
  assert.deepEqual(call.log.slice(2), ['0 send cancel', '32000 to-user timeout', '32000 terminated'])
})

test('RFC 3261 9.1 a 2xx that crossed the CANCEL reaches the user', () => {
  const call = calling()
  call.input(response(180))
  call.input({ kind: 'cancel' })
  call.input(response(200))
  assert.deepEqual(call.log.slice(2), ['0 send cancel', '0 to-user response 200'])
  assert.deepEqual([...call.timers.keys()], ['M'])
})

test('RFC 3261 17.1.4 a transport error ends the transaction and tells the user', () => {
  const call = calling()
  call.input({ kind: 'transport-error' })
  assert.deepEqual(call.log.slice(1), ['0 to-user transport-error', '0 terminated'])
  assert.equal(call.timers.size, 0)
})
