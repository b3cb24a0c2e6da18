import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import { CallAnswered, CallEnded, type Leg } from '@tandem/contracts/call.ts'
import {
  PresenceChanged,
  PresenceNotify,
  type PresenceState,
  PublishPresence,
  ReadPresence,
  SetPresence,
  SubscribePresence,
} from '@tandem/contracts/presence.ts'
import { RegistrationBound } from '@tandem/contracts/registration.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { parsePidf, writePidf } from '@tandem/pidf/pidf.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type PresenceService, startPresence } from '../src/service.ts'
import { acme, acmeYaml } from './acme.ts'

let nats: PrivateNats
let edge: Bus
let console: Bus
let presenceBus: Bus
let presence: PresenceService
const changes: PresenceState[] = []
const notices: { at: number; subscriptionId: string; state: string; body: string }[] = []
const log = createLogger({ service: 'presence', level: 'silent' })

before(async () => {
  nats = await startPrivateNats()
  edge = await nats.bus('edge-proxy')
  console = await nats.bus('console')
  presenceBus = await nats.bus('presence')
  presence = startPresence({ bus: presenceBus, log, configuration: acme(), shortestSubscriptionS: 1 })
  console.hear(PresenceChanged, (state) => void changes.push(state))
  edge.hear(PresenceNotify, ({ subscriptionId, notify }) => {
    notices.push({ at: Date.now(), subscriptionId, state: notify.state, body: notify.body ?? '' })
  })
  await Promise.all([edge.flush(), console.flush(), presenceBus.flush()])
})
after(async () => {
  await presence.stop()
  await nats.close()
})

async function until<T>(look: () => T | undefined | false, what: string): Promise<T> {
  for (let tries = 0; tries < 1000; tries++) {
    const found = look()
    if (found) return found
    await new Promise((done) => setTimeout(done, 10))
  }
  throw new Error(`not within 10 s: ${what}`)
}

let legs = 0
function leg(more: Partial<Leg>): Leg {
  const legId = `leg${++legs}`
  return {
    ...{
      callId: 'call1',
      legId,
      seq: 2,
      edge: 'edge1',
      at: new Date().toISOString(),
      role: 'callee',
      from: '+12065550100',
    },
    ...{
      party: { kind: 'user', user: 'alice' },
      site: 'hq',
      dialled: '1001',
      emergency: false,
      attempt: 1,
      sipCallId: 'x',
    },
    ...more,
  }
}
const mobileLeg = () =>
  leg({ role: 'mobile', party: { kind: 'trunk', trunk: 'itsp-a' }, user: 'alice', to: '+12065550142' })
function ended(of: Leg) {
  const at = new Date().toISOString()
  return {
    ...{ ...of, seq: of.seq + 1, at, startedAt: of.at, endedAt: at, durationMs: 1000, endedBy: 'caller' as const },
    ...{ sipStatus: 200, estimated: false },
  }
}
const bound = (user: string, bindingId: string, forMs = 300_000) => ({
  ...{
    bindingId,
    user,
    contact: `sip:${user}@127.0.0.1`,
    edge: 'edge1',
    transport: 'udp',
    source: '127.0.0.1:5062',
    site: 'hq',
  },
  ...{ at: new Date().toISOString(), expiresAt: new Date(Date.now() + forMs).toISOString() },
})
async function read(user?: string): Promise<PresenceState[]> {
  const asked = await console.ask(ReadPresence, user === undefined ? {} : { user })
  assert(asked.kind === 'answer', JSON.stringify(asked))
  return asked.answer.states
}
async function subscribe(subscriptionId: string, more: object = {}) {
  const asked = await edge.ask(SubscribePresence, {
    ...{ edge: 'edge1', subscriptionId, watcher: 'bob', presentity: 'alice', event: 'presence', expires: 600 },
    ...{ accept: ['application/pidf+xml'], ...more },
  })
  assert(asked.kind === 'answer', JSON.stringify(asked))
  return asked.answer
}
function activities(body: string): readonly string[] {
  const document = parsePidf(body, { entity: 'sip:alice@acme.example' })
  assert(document.kind === 'ok', body)
  return document.document.persons.flatMap((p) => p.activities)
}

test('every user of the configuration is there, offline at first, with what we can see of the mobile', async () => {
  const states = await read()
  assert.deepEqual(
    states.map((s) => [s.user, s.availability, s.coverage]),
    [
      ['alice', 'offline', 'trunk-only'],
      ['bob', 'offline', 'none'],
    ],
  )
  assert.deepEqual(await read('mallory'), [])
})

test('d) a registered user whose mobile answers is on the phone (mobile), and available again after', async (t) => {
  edge.tell(RegistrationBound, bound('alice', 'b1'))
  await until(() => changes.some((c) => c.availability === 'available'), 'registered')
  const mobile = mobileLeg()
  const from = changes.length
  const before = performance.now()
  edge.tell(CallAnswered, { ...mobile, setupMs: 3000 })
  const busy = await until(() => changes.slice(from).find((c) => c.availability === 'busy'), 'on the phone')
  t.diagnostic(`shown after ${(performance.now() - before).toFixed(1)} ms`)
  assert.deepEqual([busy.activities, busy.device, busy.microsoft], [['on-the-phone'], 'mobile', 6500])
  assert.equal((await read('alice'))[0]?.device, 'mobile')
  await edge.record(CallEnded, ended(mobile), { messageId: mobile.legId })
  const free = await until(() => changes.slice(from).find((c) => c.availability === 'available'), 'available again')
  assert.equal(free.version, busy.version + 1)
})

test('the mobile’s voicemail never shows on the phone', async () => {
  const from = changes.length
  const voicemail = mobileLeg()
  edge.tell(CallAnswered, { ...voicemail, setupMs: 800 })
  await edge.record(CallEnded, ended(voicemail), { messageId: voicemail.legId })
  await read('alice')
  assert.deepEqual(changes.slice(from), [])
})

test('a watcher gets the state at once and each call, each thing once', async () => {
  const first = await subscribe('s1')
  assert.equal(first.status, 200)
  assert.equal(first.notify?.state, 'active')
  assert.equal(first.notify?.contentType, 'application/pidf+xml')
  assert.ok((first.expires ?? 0) <= 600 && (first.expires ?? 0) >= 540)
  const talking = leg({})
  const mine = () => notices.filter((n) => n.subscriptionId === 's1')
  edge.tell(CallAnswered, { ...talking, setupMs: 10 })
  edge.tell(CallAnswered, { ...talking, setupMs: 10 })
  await until(() => mine().length === 1, 'NOTIFY in a call')
  assert.deepEqual(activities(mine()[0]?.body ?? ''), ['on-the-phone'])
  await edge.record(CallEnded, ended(talking), { messageId: talking.legId })
  await until(() => mine().length === 2, 'NOTIFY after the call')
  assert.deepEqual(activities(mine()[1]?.body ?? ''), [])
  const last = await subscribe('s1', { expires: 0 })
  assert.deepEqual([last.status, last.notify?.state, last.notify?.reason], [200, 'terminated', 'timeout'])
})

test('a subscription that runs out ends with a NOTIFY', async () => {
  const start = Date.now()
  const answer = await subscribe('s2', { expires: 1 })
  assert.equal(answer.expires, 1)
  const end = await until(
    () => notices.find((n) => n.subscriptionId === 's2' && n.state === 'terminated'),
    'terminated',
  )
  assert.ok(end.at - start >= 900)
})

test('a DID and an extension name the user too; strangers, wrong packages and wrong bodies are refused', async () => {
  assert.equal((await subscribe('s3', { presentity: '+14255551001', expires: 0 })).status, 200)
  assert.equal((await subscribe('s3', { presentity: '1001', expires: 0 })).status, 200)
  const { watcher: _, ...stranger } = { watcher: undefined }
  assert.equal((await subscribe('s4', { event: 'message-summary', ...stranger })).status, 489)
  assert.equal((await subscribe('s4', { accept: ['text/plain'] })).status, 406)
  assert.equal((await subscribe('s4', { presentity: 'mallory' })).status, 404)
  const asked = await edge.ask(SubscribePresence, {
    ...{ edge: 'edge1', subscriptionId: 's4', presentity: 'mallory', event: 'presence', accept: [], expires: 60 },
  })
  assert(asked.kind === 'answer')
  assert.equal(asked.answer.status, 403)
})

test('a manual state is set, ends at its time and can be cleared', async () => {
  const set = async (availability: 'dnd' | 'appear-offline' | null, until?: string) => {
    const asked = await console.ask(SetPresence, { user: 'bob', availability, ...(until ? { until } : {}) })
    assert(asked.kind === 'answer', JSON.stringify(asked))
    return asked.answer.state.availability
  }
  edge.tell(RegistrationBound, bound('bob', 'b2'))
  await until(() => changes.some((c) => c.user === 'bob' && c.availability === 'available'), 'bob registered')
  assert.equal(await set('dnd'), 'dnd')
  assert.equal(await set('appear-offline'), 'offline')
  assert.equal(await set(null), 'available')
  const from = changes.length
  assert.equal(await set('dnd', new Date(Date.now() + 1500).toISOString()), 'dnd')
  await until(() => changes.slice(from).find((c) => c.availability === 'available'), 'the end of dnd')
})

test('PUBLISH: a device says meeting, refreshes, and is forgotten when it goes silent', async () => {
  const body = writePidf({
    ...{ entity: 'sip:bob@acme.example', tuples: [{ id: 't', basic: 'open' }] },
    persons: [{ id: 'p', activities: ['meeting'] }],
  })
  const publish = async (more: object) => {
    const asked = await edge.ask(PublishPresence, {
      publisher: 'bob',
      presentity: 'bob',
      event: 'presence',
      expires: 3,
      ...more,
    })
    assert(asked.kind === 'answer', JSON.stringify(asked))
    return asked.answer
  }
  const first = await publish({ contentType: 'application/pidf+xml', body })
  assert.equal(first.status, 200)
  assert.deepEqual((await read('bob'))[0]?.activities, ['meeting'])
  const from = changes.length
  const second = await publish({ ifMatch: first.etag })
  assert.notEqual(second.etag, first.etag)
  assert.equal((await publish({ ifMatch: first.etag })).status, 412)
  await until(() => changes.slice(from).find((c) => c.user === 'bob' && c.availability === 'available'), 'silence')
})

test('a restart forgets nothing that still holds: calls and registrations come back from the streams', async () => {
  const talking = leg({ party: { kind: 'user', user: 'bob' } })
  edge.tell(CallAnswered, { ...talking, setupMs: 10 })
  await until(() => changes.at(-1)?.user === 'bob' && changes.at(-1)?.availability === 'busy', 'bob in a call')
  await presence.stop()
  const from = changes.length
  presence = startPresence({ bus: presenceBus, log, configuration: acme(), shortestSubscriptionS: 1 })
  const since = () => changes.slice(from)
  await until(() => since().some((c) => c.user === 'bob' && c.availability === 'busy'), 'bob again')
  await until(() => since().some((c) => c.user === 'alice' && c.availability === 'available'), 'alice again')
  await edge.record(CallEnded, ended(talking), { messageId: talking.legId })
  await until(() => changes.filter((c) => c.user === 'bob').at(-1)?.availability === 'available', 'bob available')
})

test('a user who leaves the configuration is gone and the watchers are told', async () => {
  assert.equal((await subscribe('s9', { watcher: 'alice', presentity: 'bob' })).status, 200)
  presence.configure(acme(acmeYaml.replace(/^ {2}bob:.*$/m, '')))
  await until(() => notices.find((n) => n.subscriptionId === 's9' && n.state === 'terminated'), 'terminated')
  assert.deepEqual(
    (await read()).map((s) => s.user),
    ['alice'],
  )
})

test('200 watchers of one user all learn of the call, none twice', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => subscribe(`w${i}`, { watcher: 'alice' })))
  assert.ok(answers.every((a) => a.status === 200))
  edge.tell(CallAnswered, { ...leg({}), setupMs: 10 })
  const heard = () => notices.filter((n) => n.subscriptionId.startsWith('w'))
  await until(() => heard().length >= 200, 'all told')
  assert.equal(new Set(heard().map((n) => n.subscriptionId)).size, 200)
  assert.equal(heard().length, 200)
})
