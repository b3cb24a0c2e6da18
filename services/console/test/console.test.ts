import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import {
  CallAnswered,
  CallEnded,
  CallInterim,
  CallStarted,
  type CapturedMessage,
  type Leg,
  type LegMedia,
  type LegRecord,
  SipCaptured,
} from '@tandem/contracts/call.ts'
import { Locate, type LocateAnswer } from '@tandem/contracts/location.ts'
import { TrunkChanged, trunkKey } from '@tandem/contracts/registration.ts'
import { RehearseConfiguration } from '@tandem/contracts/routing.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import type { Ladder } from '../src/domain/ladder.ts'
import { type Console, startConsole } from '../src/service.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
const decks = {
  'rates/itsp-a.csv': readFileSync(new URL('../../../examples/acme/rates/itsp-a.csv', import.meta.url), 'utf8'),
}
const sha256 = (t: string): string => createHash('sha256').update(t).digest('hex')

let nats: PrivateNats
let edge: Bus
let routing: Bus
let location: Bus
let served: Console
let api: string
let failingCase = false
const troubles: unknown[] = []

before(async () => {
  nats = await startPrivateNats()
  edge = await nats.bus('edge-proxy')
  routing = await nats.bus('routing')
  location = await nats.bus('location')
  routing.answer(RehearseConfiguration, (): { outcomes: { index: number; passed: boolean; detail: string }[] } => ({
    outcomes: [{ index: 0, passed: !failingCase, detail: failingCase ? 'expected itsp-a, got 403' : 'as expected' }],
  }))
  location.answer(
    Locate,
    (q): LocateAnswer => ({
      kind: 'found',
      place: { ref: 'hq-2-201', civic: { country: 'US', RD: '36th' } },
      source: 'static',
      confidence: 0.9,
      determinedAt: '2026-01-02T03:04:05.000Z',
      routeClass: 'direct',
      callback: q.number ?? '',
    }),
  )
  await Promise.all([routing.flush(), location.flush()])
  served = await startConsole({
    bus: await nats.bus('console', { onTrouble: (t) => troubles.push(t) }),
    log: createLogger({ service: 'console', level: 'silent' }),
    host: '127.0.0.1',
    port: 0,
    tokens: [
      { name: 'root', role: 'admin', sha256: sha256('admin-token-admin-token') },
      { name: 'desk', role: 'emergency', sha256: sha256('desk-token-desk-token') },
      { name: 'watcher', role: 'viewer', sha256: sha256('viewer-token-viewer-token') },
    ],
    openOnLoopback: false,
  })
  api = `http://127.0.0.1:${served.port}`
})
after(async () => {
  if (troubles.length > 0) console.error('troubles of the bus:', troubles)
  await served.stop()
  await nats.close()
})

async function call(
  path: string,
  options: { token?: string; method?: string; body?: unknown } = {},
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests assert
): Promise<{ status: number; type: string; body: any; text: string }> {
  const response = await fetch(`${api}${path}`, {
    method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? '',
    text,
    body: text.startsWith('{') ? JSON.parse(text) : undefined,
  }
}
const admin = 'admin-token-admin-token'
const viewer = 'viewer-token-viewer-token'
const desk = 'desk-token-desk-token'

test('nothing but health and the description is open without a token', async () => {
  assert.equal((await call('/healthz')).status, 200)
  assert.equal((await call('/readyz')).status, 200)
  assert.match((await call('/metrics')).text, /tandem_bus_ask_seconds/)
  for (const path of [
    '/api/v1/calls',
    '/api/v1/config',
    '/api/v1/cdrs',
    '/api/v1/locations/by-number/+14255551001',
    '/api/v1/presence/stream',
  ]) {
    const got = await call(path)
    assert.equal(got.status, 401, path)
    assert.match(got.type, /application\/problem\+json/)
  }
  assert.equal((await call('/api/v1/calls', { token: 'wrong-token-wrong-token' })).status, 401)
})

test('a role reads what it may and no more: places need emergency or admin, apply needs admin', async () => {
  assert.equal((await call('/api/v1/calls', { token: viewer })).status, 200)
  assert.equal((await call('/api/v1/locations/by-number/+14255551001', { token: viewer })).status, 403)
  assert.equal(
    (await call('/api/v1/config/apply', { token: viewer, body: { source: [{ path: 'a', text: 'b' }] } })).status,
    403,
  )
  const place = await call('/api/v1/locations/by-number/+14255551001', { token: desk })
  assert.equal(place.status, 200)
  assert.equal(place.body.place.civic.RD, '36th')
})

test('an unknown path and a bad body are problem documents that say what to do', async () => {
  const unknown = await call('/api/v1/nothing', { token: admin })
  assert.equal(unknown.status, 404)
  assert.match(unknown.body.detail, /api\/docs/)
  const bad = await call('/api/v1/routing/explain', { token: admin, body: { from: 5 } })
  assert.equal(bad.status, 400)
  assert.match(bad.type, /problem\+json/)
})

test('a wrong file never replaces a running one, and says file, line, column and what to write', async () => {
  const wrong = await call('/api/v1/config/apply', {
    token: admin,
    body: {
      source: [{ path: 'tandem.yaml', text: acme.replace('trunks: [itsp-a, itsp-b] }', 'trunks: [itsp-x, itsp-b] }') }],
      decks,
    },
  })
  assert.equal(wrong.status, 422)
  const [problem] = wrong.body.problems
  assert.equal(problem.file, 'tandem.yaml')
  assert.ok(problem.line > 1 && problem.column > 1)
  assert.match(problem.instead, /itsp-/)
  assert.equal((await call('/api/v1/config', { token: admin })).status, 404)
})

test('apply is refused when a stored test case fails, else it becomes the running revision and can be rolled back', async () => {
  const source = [{ path: 'tandem.yaml', text: acme }]
  failingCase = true
  const refused = await call('/api/v1/config/apply', { token: admin, body: { source, decks } })
  assert.equal(refused.status, 422)
  assert.match(refused.body.detail, /expected itsp-a/)
  failingCase = false
  assert.equal(
    (await call('/api/v1/config/apply', { token: admin, body: { source } })).status,
    422,
    'without its rate deck',
  )
  const dry = await call('/api/v1/config/apply', { token: admin, body: { source, decks, dryRun: true } })
  assert.equal(dry.body.applied, false)
  const applied = await call('/api/v1/config/apply', { token: admin, body: { source, decks, why: 'first' } })
  assert.deepEqual([applied.status, applied.body.revision], [200, 1])
  const changed = [{ path: 'tandem.yaml', text: acme.replace('calls: 100,', 'calls: 50,') }]
  const planned = await call('/api/v1/config/plan', { token: admin, body: { source: changed, decks } })
  assert.deepEqual(planned.body.changes, [
    { path: 'trunks.itsp-a.limits.calls', kind: 'changed', before: '100', after: '50' },
  ])
  assert.equal(
    (await call('/api/v1/config/apply', { token: admin, body: { source: changed, decks } })).body.revision,
    2,
  )
  assert.deepEqual((await call('/api/v1/config/rollback', { token: admin, body: {} })).body, {
    applied: true,
    revision: 3,
    rollbackOf: 1,
    // none follows in this test: tests/integration/configuration has them all
    inForce: [],
    waiting: [],
  })
  const now = await call('/api/v1/config', { token: admin })
  assert.equal(now.body.source[0].text, acme)
  assert.deepEqual(
    now.body.history.map((h: { revision: number }) => h.revision),
    [3, 2, 1],
  )
  assert.equal(now.body.history[2].by, 'root')
})

const at = '2026-01-02T03:04:05.678Z'
function leg(legId: string, role: Leg['role']): Leg {
  return {
    callId: 'call-1',
    legId,
    seq: 1,
    edge: 'e1',
    at: new Date().toISOString(),
    role,
    party: role === 'caller' ? { kind: 'user', user: 'alice' } : { kind: 'trunk', trunk: 'itsp-a' },
    user: 'alice',
    from: '+14255551001',
    dialled: '912065550100',
    to: '+12065550100',
    emergency: false,
    attempt: 1,
    sipCallId: 'x',
  }
}
function message(offsetUs: number, direction: 'received' | 'sent', peer: string, text: string): CapturedMessage {
  return {
    callId: 'call-1',
    legId: 'leg-a',
    at,
    offsetUs,
    direction,
    peer,
    transport: 'UDP',
    local: '127.0.0.1:5060',
    remote: '127.0.0.1:7000',
    text,
  }
}
async function until<T>(what: string, read: () => Promise<T | undefined | false>): Promise<T> {
  for (let i = 0; i < 400; i++) {
    const got = await read()
    if (got) return got
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error(`not within 20 s: ${what}`)
}

test('a live call is listed with its legs, streamed as it changes, and ends; its ladder is drawn from the captured messages', async () => {
  const abort = new AbortController()
  const stream = await fetch(`${api}/api/v1/calls/stream`, {
    headers: { authorization: `Bearer ${viewer}` },
    signal: abort.signal,
  })
  let streamed = ''
  const reading = (async () => {
    for await (const chunk of stream.body as unknown as AsyncIterable<Uint8Array>)
      streamed += Buffer.from(chunk).toString()
  })().catch(() => {})
  edge.tell(CallStarted, leg('leg-a', 'caller'))
  edge.tell(CallStarted, leg('leg-b', 'callee'))
  edge.tell(CallAnswered, { ...leg('leg-b', 'callee'), setupMs: 20 })
  edge.tell(CallAnswered, { ...leg('leg-a', 'caller'), setupMs: 25 })
  edge.tell(SipCaptured, {
    edge: 'e1',
    messages: [
      message(
        900,
        'sent',
        'trunk:itsp-a',
        'INVITE sip:12065550100@x SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0',
      ),
      message(
        0,
        'received',
        'user:alice',
        'INVITE sip:912065550100@acme SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0',
      ),
    ],
  })
  // by an edge of before, that does not say in a header of which calls they are
  const late = { edge: 'e0', messages: [message(300, 'sent', 'user:alice', 'SIP/2.0 100 Trying\r\n\r\n')] }
  edge.connection.publish(SipCaptured.subject, JSON.stringify(late))
  const live = await until('up', async () =>
    (await call('/api/v1/calls?state=live', { token: viewer })).body.calls.find(
      (c: { state: string }) => c.state === 'up',
    ),
  )
  assert.deepEqual(
    (live as { legs: { role: string }[] }).legs.map((l) => l.role),
    ['caller', 'callee'],
  )
  const heard: LegMedia = {
    received: {
      packets: 3000,
      bytes: 600_000,
      lost: 30,
      lossPercent: 0.99,
      jitterMs: 1.5,
      mos: 4.31,
      mosModel: 'g107-simplified-cq',
    },
    sent: { packets: 3000, bytes: 600_000 },
    rtcpReceived: 12,
    rtcpSent: 12,
    roundTripMs: 41.5,
  }
  edge.tell(CallInterim, { ...leg('leg-b', 'callee'), durationMs: 60_000, media: heard })
  await until('heard', async () => {
    const { legs } = (await call('/api/v1/calls/call-1', { token: viewer })).body
    return legs[1].media !== undefined && assert.deepEqual(legs[1].media, heard) === undefined
  })
  const ladder = await until('ladder', async () => {
    const got = await call('/api/v1/calls/call-1/ladder', { token: viewer })
    return got.status === 200 && (got.body as Ladder).arrows.length === 3 && (got.body as Ladder)
  })
  assert.deepEqual(ladder.columns, ['user:alice', 'tandem', 'trunk:itsp-a'])
  assert.deepEqual(
    ladder.arrows.map((a) => [a.from, a.to, a.label]),
    [
      [0, 1, 'INVITE (SDP)'],
      [1, 0, '100 Trying'],
      [1, 2, 'INVITE (SDP)'],
    ],
  )
  const text = (await call('/api/v1/calls/call-1/ladder?format=text', { token: viewer })).text
  const pcap = '/api/v1/calls/call-1/pcap'
  assert.equal((await call(pcap)).status, 401)
  assert.equal((await call(pcap, { token: viewer })).status, 403, 'numbers of people: for operators')
  const file = await call(pcap, { token: 'admin-token-admin-token' })
  assert.deepEqual([file.status, file.type], [200, 'application/vnd.tcpdump.pcap'])
  assert.match(file.text, /INVITE sip:/)
  assert.equal((await call('/api/v1/calls/nobody/pcap', { token: 'admin-token-admin-token' })).status, 404)
  assert.match(text, /user:alice.*tandem.*trunk:itsp-a/)
  assert.match(text, /INVITE \(SDP\).*▶/)
  const record = (l: Leg): LegRecord => ({
    ...l,
    seq: 4,
    startedAt: at,
    endedAt: new Date().toISOString(),
    durationMs: 1000,
    endedBy: 'caller',
    sipStatus: 200,
    estimated: false,
  })
  await edge.record(CallEnded, record(leg('leg-a', 'caller')), { messageId: 'leg-a:4' })
  const later = { ...heard, roundTripMs: 43 }
  await edge.record(CallEnded, { ...record(leg('leg-b', 'callee')), media: later }, { messageId: 'leg-b:4' })
  await until('ended', async () => (await call('/api/v1/calls/call-1', { token: viewer })).body.state === 'ended')
  assert.deepEqual((await call('/api/v1/calls/call-1', { token: viewer })).body.legs[1].media, later)
  await until('streamed', async () => streamed.includes('"state":"ended"') && streamed.includes('"state":"up"'))
  abort.abort()
  await reading
})

test('an operator drains a trunk; what the edges say of it is put together', async () => {
  const told = new Date().toISOString()
  const state = { trunk: 'itsp-a', at: told, health: 'up' as const }
  edge.tell(TrunkChanged, { ...state, edge: 'e1', calls: 3, prober: true, roundTripMs: 4.2 })
  edge.tell(TrunkChanged, { ...state, edge: 'e2', calls: 2, health: 'probing' })
  await edge.flush()
  const trunk = async () =>
    (await call('/api/v1/trunks', { token: viewer })).body.trunks.find((t: { name: string }) => t.name === 'itsp-a')
      .state
  for (let i = 0; i < 500 && (await trunk()).calls !== 5; i++) await new Promise((done) => setTimeout(done, 20))
  const { health, calls, roundTripMs } = await trunk()
  assert.deepEqual({ health, calls, roundTripMs }, { health: 'up', calls: 5, roundTripMs: 4.2 })
  const path = '/api/v1/trunks/itsp-a/drain'
  assert.equal((await call(path, { token: viewer, body: { draining: true } })).status, 403)
  const answer = await call(path, { token: admin, body: { draining: true } })
  assert.deepEqual(answer.body, { trunk: 'itsp-a', draining: true, calls: 5 })
  const bucket = await edge.bucket('trunk')
  const key = trunkKey('drain', 'itsp-a')
  const kept = await bucket.get(key)
  assert.equal(JSON.parse(Buffer.from(kept?.value ?? '').toString()).by, 'root')
  assert.equal((await call(path, { token: admin, body: { draining: false } })).status, 200)
  assert.equal(await bucket.get(key), undefined)
  const unknown = await call('/api/v1/trunks/nowhere/drain', { token: admin, body: { draining: true } })
  assert.equal(unknown.status, 404)
  assert.match(unknown.body.detail, /no trunk nowhere/)
})

test('a service that is away is a 503 that says so', async () => {
  const got = await call('/api/v1/cdrs', { token: viewer })
  assert.equal(got.status, 503)
  assert.match(got.body.detail, /billing/)
})

test('the API describes itself as OpenAPI with every path of the promise', async () => {
  const document = (await call('/api/docs/json')).body
  for (const path of [
    '/api/v1/calls',
    '/api/v1/calls/{id}/ladder',
    '/api/v1/calls/{id}/trace',
    '/api/v1/trunks',
    '/api/v1/trunks/{name}/drain',
    '/api/v1/numbers',
    '/api/v1/users',
    '/api/v1/config',
    '/api/v1/config/plan',
    '/api/v1/config/apply',
    '/api/v1/routing/explain',
    '/api/v1/presence',
    '/api/v1/presence/stream',
    '/api/v1/locations/by-number/{number}',
    '/api/v1/emergency/incidents',
    '/api/v1/emergency/test-call',
    '/api/v1/cdrs',
    '/api/v1/billing/summary',
    '/api/v1/billing/savings',
  ]) {
    assert.ok(document.paths[path], path)
  }
  const { schema } = document.paths['/api/v1/cdrs'].get.responses['200'].content['application/json']
  for (const field of ['referredBy', 'joined', 'attestation', 'verstat'])
    assert.ok(schema.properties.cdrs.items.properties[field], field)
  for (const path of ['/api/v1/calls', '/api/v1/calls/{id}', '/api/v1/cdrs']) {
    const said = JSON.stringify(document.paths[path].get.responses['200'])
    for (const field of ['lossPercent', 'jitterMs', 'roundTripMs', 'mosModel'])
      assert.match(said, new RegExp(field), path)
  }
})
