import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Delivered } from '@tandem/bus/outcome.ts'
import { CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import type { Body } from '@tandem/contracts/contract.ts'
import { PresenceChanged, ReadPresence } from '@tandem/contracts/presence.ts'
import { TrunkChanged } from '@tandem/contracts/registration.ts'
import { ResolveRoute, type RouteDecision, type RouteQuestion } from '@tandem/contracts/routing.ts'
import type { PrivateNats } from '@tandem/testing/nats.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'

const at = '2026-01-02T03:04:05.678Z'
const question: RouteQuestion = {
  callId: 'c1',
  source: { kind: 'user', user: 'alice' },
  sourceAddress: '127.0.0.1',
  dialled: '911',
  requestUri: 'sip:911@acme.example',
  from: { number: '1001' },
  at,
}
function record(legId: string): LegRecord {
  return {
    callId: 'c1',
    legId,
    seq: 4,
    edge: 'e1',
    at,
    role: 'caller',
    party: { kind: 'user', user: 'alice' },
    from: '+14255551001',
    dialled: '911',
    emergency: true,
    attempt: 1,
    sipCallId: 'x@y',
    startedAt: at,
    endedAt: at,
    durationMs: 0,
    endedBy: 'caller',
    sipStatus: 487,
    estimated: false,
  }
}
async function until<T>(what: string, read: () => T | undefined | false): Promise<T> {
  for (let i = 0; i < 800; i++) {
    const got = read()
    if (got) return got
    await new Promise((done) => setTimeout(done, 25))
  }
  throw new Error(`not within 20 s: ${what}`)
}

/** A server that has just come back may not take anything for a moment yet. */
async function onceTaken<T>(tell: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < 40; tries++) {
    const taken = await tell().catch(() => undefined)
    if (taken !== undefined) return taken
    await new Promise((done) => setTimeout(done, 250))
  }
  return await tell()
}

/** What must hold with every nats-server: Debian's on this machine, a current one in a container. */
export function testAnyServer(start: () => Promise<PrivateNats>): void {
  let nats: PrivateNats
  let edge: Bus
  let routing: Bus
  before(async () => {
    nats = await start()
    edge = await nats.bus('edge-proxy')
    routing = await nats.bus('routing')
  })
  after(() => nats?.close())

  test('a question without a responder is known at once as nobody', async () => {
    const began = performance.now()
    assert.deepEqual(await edge.ask(ResolveRoute, question), { kind: 'nobody' })
    assert.ok(performance.now() - began < whenBusy(500))
  })

  test('a question is answered, a silent responder is late, a broken one refuses', async () => {
    const stop = routing.answer(
      ResolveRoute,
      (q): RouteDecision => ({ kind: 'reject', revision: 1, status: 404, reason: q.dialled }),
    )
    await routing.flush()
    assert.deepEqual(await edge.ask(ResolveRoute, question), {
      kind: 'answer',
      answer: { kind: 'reject', revision: 1, status: 404, reason: '911' },
    })
    await stop()
    const stopSilent = routing.answer(ResolveRoute, () => undefined)
    await routing.flush()
    const began = performance.now()
    assert.deepEqual(await edge.ask(ResolveRoute, question, { emergency: true }), { kind: 'late' })
    const waited = performance.now() - began
    assert.ok(waited >= 250 && waited < whenBusy(450), `emergency deadline is 300 ms, waited ${waited}`)
    await stopSilent()
    const stopBroken = routing.answer(ResolveRoute, () => {
      throw new Error('boom')
    })
    await routing.flush()
    assert.deepEqual(await edge.ask(ResolveRoute, question), { kind: 'refused', why: 'internal error' })
    await stopBroken()
  })

  test('a question that does not match its contract is refused and never reaches the handler', async () => {
    let called = false
    const stop = routing.answer(ResolveRoute, () => {
      called = true
      return undefined
    })
    await routing.flush()
    const got = await edge.ask(ResolveRoute, { ...question, at: 'yesterday' })
    assert.equal(got.kind, 'refused')
    assert.equal(called, false)
    await stop()
  })

  test('a service that publishes on the subject of another is refused by the server', async () => {
    const troubles: string[] = []
    const presence = await nats.bus('presence')
    const intruder = await nats.bus('routing', { onTrouble: (t) => troubles.push(t.detail) })
    let heard = 0
    const console = await nats.bus('console')
    console.hear(PresenceChanged, () => {
      heard++
    })
    await console.flush()
    const state: Body<typeof PresenceChanged> = {
      user: 'alice',
      availability: 'busy',
      activities: [],
      since: at,
      version: 1,
    }
    intruder.tell(PresenceChanged, state)
    await until('a permission violation', () =>
      troubles.find((t) => /permission/i.test(t) && t.includes('presence.v1.changed')),
    )
    assert.equal(heard, 0)
    presence.tell(PresenceChanged, state)
    await until('the fact of its owner', () => heard === 1)
  })

  test('a service that asks what it may not ask gets no answer', async () => {
    const presence = await nats.bus('presence')
    presence.answer(ReadPresence, () => ({ states: [] }))
    await presence.flush()
    assert.notEqual((await routing.ask(ReadPresence, {})).kind, 'answer')
    const console = await nats.bus('console')
    assert.equal((await console.ask(ReadPresence, {})).kind, 'answer')
  })

  test('a final record is stored once per leg, however often it is sent', async () => {
    assert.equal(await edge.record(CallEnded, record('leg-1'), { messageId: 'leg-1:4' }), 'stored')
    assert.equal(await edge.record(CallEnded, record('leg-1'), { messageId: 'leg-1:4' }), 'duplicate')
    assert.equal(await edge.record(CallEnded, record('leg-1'), { messageId: 'another id' }), 'occupied')
  })

  test('a durable consumer gets what it failed on again, and poison apart from facts', async () => {
    const billing = await nats.bus('billing')
    await edge.record(CallEnded, record('leg-2'), { messageId: 'leg-2:4' })
    edge.connection.publish('call.v1.ended.leg-3', '{"not":"a record"}')
    const seen: Delivered<LegRecord>[] = []
    let failures = 0
    billing.consume(CallEnded, { durable: 'test' }, async (batch) => {
      if (failures++ === 0) throw new Error('database away')
      seen.push(...batch)
    })
    await until(
      'both',
      () => seen.some((d) => d.kind === 'fact' && d.body.legId === 'leg-2') && seen.some((d) => d.kind === 'poison'),
    )
    assert.ok(seen.filter((d) => d.kind === 'fact' && d.body.legId === 'leg-2').every((d) => d.deliveries > 1))
  })

  test('a bucket is read to its end although what was to be the last is dropped or written again meanwhile', async () => {
    const bucket = await edge.bucket('calls')
    for (let round = 0; round < 12; round++) {
      const keys = [0, 1, 2, 3].map((n) => `disturbed-${round}-${n}`)
      const revisions: number[] = []
      for (const key of keys) revisions.push((await bucket.update(key, 'x', 0)) as number)
      const seen = new Set<string>()
      const reading = (async () => {
        for await (const { key } of bucket.list()) seen.add(key)
      })()
      await new Promise((done) => setTimeout(done, round / 2))
      if (round % 2 === 0) await bucket.drop(revisions[3] as number)
      else for (const n of [1, 2, 3]) await bucket.update(keys[n] as string, 'y', revisions[n] as number)
      await reading
      for (const key of keys.slice(0, 3)) assert.ok(seen.has(key), key)
    }
  })

  test('a watcher of a bucket sees the present value and every change', async () => {
    const console = await nats.bus('console')
    const mine = await console.bucket('config')
    const seen: (string | undefined)[] = []
    const theirs = await routing.bucket('config')
    theirs.watch('current', (e) => seen.push(e && Buffer.from(e.value).toString()))
    await until('nothing there', () => seen.length > 0)
    assert.equal(seen[0], undefined)
    await mine.put('current', 'one')
    await until('first', () => seen.includes('one'))
    await mine.put('current', 'two')
    await until('second', () => seen.includes('two'))
    await assert.rejects(theirs.put('current', 'three'))
    await nats.crash()
    await nats.start()
    await until('connected again', () => routing.connected && console.connected)
    await onceTaken(() => mine.put('current', 'four'))
    await until('a change after the server was killed', () => seen.includes('four'))
  })

  test('who reads facts from some time on goes on after the server was killed, and gets each once', async () => {
    const console = await nats.bus('console')
    await until('connected', () => edge.connected && console.connected)
    const calls: number[] = []
    const stop = console.replay(TrunkChanged, { sinceMs: 3_600_000 }, (b) => void calls.push(b.calls))
    const tell = (n: number) =>
      edge.record(
        TrunkChanged,
        { trunk: 'itsp-a', edge: 'e1', health: 'up', calls: n, at: new Date().toISOString() },
        { messageId: `trunk:${n}` },
      )
    await tell(1)
    await until('the first', () => calls.includes(1))
    await nats.crash()
    await nats.start()
    await until('connected again', () => edge.connected && console.connected)
    for (const n of [2, 3, 4, 5]) await onceTaken(() => tell(n))
    await until('the next ones', () => calls.includes(5))
    assert.deepEqual(calls, [1, 2, 3, 4, 5])
    await stop()
  })

  test('facts and bus come back by themselves after the server was killed', async () => {
    await nats.crash()
    await until('disconnected', () => !edge.connected)
    assert.deepEqual(await edge.ask(ResolveRoute, question), { kind: 'nobody' })
    await assert.rejects(edge.record(CallEnded, record('leg-4'), { messageId: 'leg-4:1' }), { name: 'BusAway' })
    await nats.start()
    await until('connected again', () => edge.connected)
    const stored = await onceTaken(() => edge.record(CallEnded, record('leg-4'), { messageId: 'leg-4:1' }))
    assert.match(stored, /stored|duplicate/)
  })
}
