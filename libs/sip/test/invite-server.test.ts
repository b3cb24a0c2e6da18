import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type InviteServerInput, type InviteServerState, start, step } from '../src/transaction/invite-server.ts'
import { bench, TCP, UDP } from './machine-bench.ts'

interface Answer {
  readonly name: string
}

const ringing = (clock = UDP) =>
  bench<InviteServerState<Answer>, InviteServerInput<Answer>>(start<Answer>(), step<Answer>, clock)
const respond = (status: number) => ({ kind: 'respond', status, response: { name: String(status) } }) as const

test('RFC 3261 17.2.1 a 100 is due after 200 ms of silence, and not when the user has answered', () => {
  const silent = ringing()
  silent.advance(1000)
  assert.deepEqual(silent.log, ['200 trying-due'])
  const quick = ringing()
  quick.input(respond(180))
  quick.advance(1000)
  assert.deepEqual(quick.log, ['0 send 180'])
})

test('RFC 3261 17.2.1 an INVITE that comes again gets the most recent provisional response', () => {
  const call = ringing()
  call.input({ kind: 'retransmission' })
  call.input(respond(100))
  call.input(respond(183))
  call.input({ kind: 'retransmission' })
  assert.deepEqual(call.log, ['0 send 100', '0 send 183', '0 send 183'])
})

test('RFC 3261 17.2.1 timer G: over UDP a 300-699 is sent again at T1, 2*T1 … T2 until its ACK', () => {
  const call = ringing()
  call.input(respond(486))
  call.advance(20_000)
  assert.deepEqual(
    call.log,
    [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500].map((at) => `${at} send 486`),
  )
  call.input({ kind: 'ack' })
  call.advance(4999)
  assert.equal(call.log.length, 8)
})

test('RFC 3261 17.2.1 timer G: a retransmitted INVITE in the completed state gets the final response', () => {
  const call = ringing()
  call.input(respond(486))
  call.input({ kind: 'retransmission' })
  assert.deepEqual(call.log, ['0 send 486', '0 send 486'])
})

test('RFC 3261 17.2.1 timer G does not run over a reliable transport', () => {
  const call = ringing(TCP)
  call.input(respond(486))
  call.advance(31_999)
  assert.deepEqual(call.log, ['0 send 486'])
})

for (const [name, clock] of [
  ['UDP', UDP],
  ['TCP', TCP],
] as const) {
  test(`RFC 3261 17.2.1 timer H: without an ACK the user hears of it after 64*T1 over ${name}`, () => {
    const call = ringing(clock)
    call.input(respond(600))
    call.advance(40_000)
    assert.deepEqual(call.log.slice(-2), ['32000 to-user timeout', '32000 terminated'])
    assert.equal(call.timers.size, 0)
  })
}

test('RFC 3261 17.2.1 timer I: the confirmed state absorbs ACKs for T4 over UDP', () => {
  const call = ringing()
  call.input(respond(486))
  call.input({ kind: 'ack' })
  call.input({ kind: 'ack' })
  assert.equal(call.state.kind, 'confirmed')
  call.advance(4999)
  assert.equal(call.state.kind, 'confirmed')
  call.advance(1)
  assert.deepEqual(call.log, ['0 send 486', '5000 terminated'])
})

test('RFC 3261 17.2.1 timer I is zero over a reliable transport', () => {
  const call = ringing(TCP)
  call.input(respond(486))
  call.input({ kind: 'ack' })
  assert.deepEqual(call.log, ['0 send 486', '0 terminated'])
  assert.equal(call.timers.size, 0)
})

for (const [name, clock] of [
  ['UDP', UDP],
  ['TCP', TCP],
] as const) {
  test(`RFC 6026 8.7 timer L: an accepted INVITE is absorbed for 64*T1 over ${name}, its ACK goes to the user`, () => {
    const call = ringing(clock)
    call.input(respond(200))
    call.input({ kind: 'retransmission' })
    call.input({ kind: 'ack' })
    call.advance(31_999)
    assert.equal(call.state.kind, 'accepted')
    call.advance(1)
    assert.deepEqual(call.log, ['0 send 200', '0 to-user ack', '32000 terminated'])
  })
}

test('RFC 6026 7.1 the 2xx is sent again when the user says so, and never by the transaction', () => {
  const call = ringing()
  call.input(respond(200))
  call.advance(10_000)
  call.input(respond(200))
  call.input(respond(486))
  assert.deepEqual(call.log, ['0 send 200', '10000 send 200'])
})

test('RFC 6026 7.1 a transport error tells the user and leaves the state as it is', () => {
  for (const status of [180, 200, 486]) {
    const call = ringing()
    call.input(respond(status))
    const before = call.state
    call.input({ kind: 'transport-error' })
    assert.equal(call.state, before)
    assert.equal(call.log.at(-1), '0 to-user transport-error')
  }
})
