import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as inviteClient from '../src/transaction/invite-client.ts'
import * as inviteServer from '../src/transaction/invite-server.ts'
import * as client from '../src/transaction/non-invite-client.ts'
import * as server from '../src/transaction/non-invite-server.ts'
import { type Bench, bench, TCP, UDP } from './machine-bench.ts'

const status = fc.constantFrom(100, 180, 183, 199, 200, 202, 299, 300, 302, 401, 486, 487, 500, 603, 699)
const payload = { name: 'x' }
const timer = fc
  .constantFrom('trying', 'A', 'B', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'cancel')
  .map((name) => ({ kind: 'timer', timer: name }))
const simple = fc.constantFrom('transport-error', 'cancel', 'ack', 'retransmission').map((kind) => ({ kind }))
const response = status.map((code) => ({ kind: 'response', status: code, response: payload }))
const respond = status.map((code) => ({ kind: 'respond', status: code, response: payload }))
const wait = fc.integer({ min: 0, max: 40_000 }).map((ms) => ({ kind: 'wait', ms }))

type Any = { kind: string; ms?: number }

const play = (machine: Bench<{ kind: string }, never>, inputs: readonly Any[]) => {
  for (const input of inputs) {
    if (input.kind === 'wait') machine.advance(input.ms ?? 0)
    else machine.input(input as never)
  }
}

const clientInputs = fc.array(
  fc.oneof(
    timer,
    response,
    wait,
    simple.filter(({ kind }) => kind === 'transport-error' || kind === 'cancel'),
  ),
  { maxLength: 20 },
)
const serverInputs = fc.array(
  fc.oneof(
    timer,
    respond,
    wait,
    simple.filter(({ kind }) => kind !== 'cancel'),
  ),
  { maxLength: 20 },
)
const clocks = fc.constantFrom(UDP, TCP)

/** 64*T1 from a final answer, 64*T1 before it, and room for timers restarted in between. */
const ENOUGH = 70_000

test('an INVITE client ends in bounded time after any inputs once it has a final response or is cancelled', () => {
  fc.assert(
    fc.property(clocks, clientInputs, fc.constantFrom('cancel', 'final'), (clock, inputs, close) => {
      const machine = bench<inviteClient.InviteClientState, never>(
        inviteClient.start(clock),
        inviteClient.step as never,
        clock,
      )
      play(machine, inputs)
      play(machine, [
        close === 'cancel' ? { kind: 'cancel' } : ({ kind: 'response', status: 486, response: payload } as Any),
      ])
      machine.advance(ENOUGH)
      assert.equal(machine.state.kind, 'terminated')
      assert.equal(machine.log.filter((line) => line.endsWith('terminated')).length, 1)
    }),
  )
})

test('a non-INVITE client ends in bounded time after any inputs, by itself', () => {
  fc.assert(
    fc.property(clocks, clientInputs, (clock, inputs) => {
      const machine = bench<client.NonInviteClientState, never>(client.start(clock), client.step as never, clock)
      play(
        machine,
        inputs.filter((input) => input.kind !== 'cancel'),
      )
      machine.advance(ENOUGH)
      assert.equal(machine.state.kind, 'terminated')
      assert.equal(machine.log.filter((line) => line.endsWith('terminated')).length, 1)
      assert.ok(machine.log.filter((line) => /to-user (timeout|transport-error)/.test(line)).length <= 1)
    }),
  )
})

test('an INVITE server ends in bounded time after any inputs once the user has answered', () => {
  fc.assert(
    fc.property(clocks, serverInputs, status, (clock, inputs, last) => {
      const machine = bench<inviteServer.InviteServerState<typeof payload>, never>(
        inviteServer.start<typeof payload>(),
        inviteServer.step as never,
        clock,
      )
      play(machine, inputs)
      play(machine, [{ kind: 'respond', status: Math.max(last, 200), response: payload } as Any])
      machine.advance(ENOUGH)
      assert.equal(machine.state.kind, 'terminated')
      assert.equal(machine.log.filter((line) => line.endsWith('terminated')).length, 1)
    }),
  )
})

test('a non-INVITE server ends in bounded time after any inputs once the user has answered', () => {
  fc.assert(
    fc.property(clocks, serverInputs, status, (clock, inputs, last) => {
      const machine = bench<server.NonInviteServerState<typeof payload>, never>(
        server.start<typeof payload>(),
        server.step as never,
        clock,
      )
      play(
        machine,
        inputs.filter((input) => input.kind !== 'ack'),
      )
      play(machine, [{ kind: 'respond', status: Math.max(last, 200), response: payload } as Any])
      machine.advance(ENOUGH)
      assert.equal(machine.state.kind, 'terminated')
      assert.equal(machine.log.filter((line) => line.endsWith('terminated')).length, 1)
    }),
  )
})
