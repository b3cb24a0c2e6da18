import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Body } from '@tandem/contracts/contract.ts'
import { SendMessage } from '@tandem/contracts/edge.ts'
import {
  EmergencyAttempted,
  EmergencyEnded,
  EmergencyNotified,
  EmergencyStarted,
  ListIncidents,
} from '@tandem/contracts/emergency.ts'
import { Locate, type LocateAnswer, type LocateQuestion } from '@tandem/contracts/location.ts'
import { RegistrationBound, RegistrationRemoved } from '@tandem/contracts/registration.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type IncidentFile, openIncidentFile } from '../src/adapters/incident-file.ts'
import { type LocationService, startLocation } from '../src/service.ts'
import { acme, acmeYaml } from './acme.ts'

let nats: PrivateNats
let edge: Bus
let console: Bus
let locationBus: Bus
let service: LocationService
let incidents: IncidentFile
let folder: string
let webhook: Server
let hang = false
let status = 200
const posts: { callId: string; place?: unknown }[] = []
const messages: { to: string; body: string }[] = []
const notified: Body<typeof EmergencyNotified>[] = []
const logged: string[] = []
const log = createLogger({
  service: 'location',
  level: 'info',
  destination: { write: (line: string) => void logged.push(line) },
})

async function start(): Promise<void> {
  incidents = await openIncidentFile(folder)
  const { port } = webhook.address() as AddressInfo
  const configuration = acme(acmeYaml.replace('127.0.0.1:8911', `127.0.0.1:${port}`))
  service = startLocation({ bus: locationBus, log, configuration, incidents, deskPausesMs: [50, 50] })
  await locationBus.flush()
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-location-'))
  webhook = createServer((request, response) => {
    let text = ''
    request.on('data', (d) => {
      text += d
    })
    request.on('end', () => {
      posts.push(JSON.parse(text))
      if (!hang) response.writeHead(status).end('thank you')
    })
  })
  await new Promise<void>((done) => webhook.listen(0, '127.0.0.1', done))
  nats = await startPrivateNats()
  edge = await nats.bus('edge-proxy')
  console = await nats.bus('console')
  locationBus = await nats.bus('location')
  edge.answer(SendMessage, ({ to, body }) => {
    messages.push({ to, body })
    return { delivered: true, status: 200 }
  })
  console.hear(EmergencyNotified, (body) => void notified.push(body))
  await Promise.all([edge.flush(), console.flush()])
  await start()
})
after(async () => {
  await service.stop()
  await incidents.close()
  webhook.closeAllConnections()
  webhook.close()
  await nats.close()
  await rm(folder, { recursive: true, force: true })
})

async function until<T>(look: () => T | undefined | false | Promise<T | undefined | false>, what: string): Promise<T> {
  for (let tries = 0; tries < 750; tries++) {
    const found = await look()
    if (found) return found
    await new Promise((done) => setTimeout(done, 20))
  }
  throw new Error(`not within 15 s: ${what}`)
}

async function ask(question: Partial<LocateQuestion>, bus = edge): Promise<LocateAnswer> {
  const asked = await bus.ask(Locate, { purpose: 'emergency', ...question }, { timeoutMs: 10_000 })
  assert(asked.kind === 'answer', JSON.stringify(asked))
  return asked.answer
}
const ref = (answer: LocateAnswer) => (answer.kind === 'found' ? answer.place.ref : undefined)
const query = (number: string) => ask({ purpose: 'query', number, reader: 'operator' }, console)

function binding(user: string, source: string, at = Date.now()) {
  return {
    ...{ bindingId: `b-${user}`, user, contact: `sip:${user}@x`, edge: 'edge1', transport: 'udp', source },
    ...{ at: new Date(at).toISOString(), expiresAt: new Date(at + 300_000).toISOString() },
  }
}

function emergency(callId: string, more: object = {}): Body<typeof EmergencyStarted> {
  return {
    ...{
      callId,
      legId: `${callId}-1`,
      at: new Date().toISOString(),
      test: false,
      dialled: '911',
      user: 'alice',
      site: 'hq',
    },
    ...{
      callback: '+14255551001',
      sourceAddress: '127.0.0.1',
      source: 'static',
      routeClass: 'direct',
      standingOrder: [],
    },
    place: { ref: 'hq-2-201', civic: { country: 'US', RD: '36th', HNO: '15010', ROOM: '201' } },
    ...more,
  }
}

test('the edge asks with the source address and gets the place', async () => {
  const answer = await ask({ user: 'alice', sourceAddress: '127.0.0.1' })
  assert.equal(ref(answer), 'hq-2-201')
  assert.equal(answer.routeClass, 'direct')
})

test('asked with the number alone, the last registration tells where the user is', async () => {
  assert.equal((await query('+14255551002')).kind, 'unknown')
  edge.tell(RegistrationBound, binding('bob', '10.2.9.4:5060'))
  await until(async () => ref(await query('+14255551002')) === 'branch-9-1', 'bob at the branch')
  edge.tell(RegistrationBound, binding('bob', '192.0.2.9:5061', Date.now() + 1))
  await until(async () => (await query('+14255551002')).kind === 'unknown', 'bob off-site')
  edge.tell(RegistrationBound, binding('bob', '10.1.1.1:5060', Date.now() - 1000))
  assert.equal((await query('+14255551002')).kind, 'unknown')
  edge.tell(RegistrationRemoved, { ...binding('bob', '192.0.2.9:5061', Date.now() + 2), why: 'unregistered' })
})

test('e) an emergency call: the desk is told by SIP MESSAGE and webhook, each once, and asking for the number gives that place', async (t) => {
  const body = emergency('call-e')
  await edge.record(EmergencyStarted, body, { messageId: 'call-e' })
  const mine = await until(() => {
    const told = notified.filter((n) => n.callId === 'call-e')
    return told.length === 2 && told
  }, 'both channels')
  assert.deepEqual(mine.map((n) => [n.channel, n.delivered]).sort(), [
    ['sip-message', true],
    ['webhook', true],
  ])
  t.diagnostic(`told after ${mine.map((n) => n.afterMs.toFixed(1)).join(' and ')} ms`)
  assert.equal(messages.length, 1)
  assert.equal(messages[0]?.to, 'sip:bob@acme.example')
  assert.match(messages[0]?.body ?? '', /room 201, 15010 36th/)
  assert.deepEqual(
    posts.map((p) => [p.callId, p.place]),
    [['call-e', body.place]],
  )
  const answer = await query('+14255551001')
  assert(answer.kind === 'found')
  assert.deepEqual(answer.place, body.place)
})

test('L18: the record has every step with its time, is chained, and the log never shows the place', async () => {
  edge.tell(EmergencyAttempted, {
    ...{ callId: 'call-e', at: new Date().toISOString(), rung: 1, trunk: 'itsp-a', called: '911', outcome: 'answered' },
    ...{ sipStatus: 200, afterMs: 12 },
  })
  edge.tell(EmergencyEnded, { callId: 'call-e', at: new Date().toISOString(), answered: true, durationMs: 61_000 })
  const list = async () => {
    const asked = await console.ask(ListIncidents, { limit: 10, reader: 'operator' })
    assert(asked.kind === 'answer')
    return asked.answer.incidents
  }
  const incident = await until(
    async () => (await list()).find((i) => i.callId === 'call-e' && i.entries.length === 5),
    'five entries',
  )
  const words = incident.entries.map((e) => e.what).join('\n')
  for (const part of [
    'alice dialled 911',
    'rung 1: 911 by itsp-a answered 200',
    'ended after 61 s',
    'by webhook',
    'by sip-message',
  ])
    assert.ok(words.includes(part), part)
  assert.equal(incident.user, 'alice')
  assert.equal((incident.place as { ref: string }).ref, 'hq-2-201')
  assert.doesNotMatch(logged.join(''), /15010|36th/)
  assert.match(logged.join(''), /"ref":"hq-2-201"/)
})

test('a desk that hangs or answers badly is tried again, recorded as not told, and holds nobody up', async () => {
  status = 503
  await edge.record(EmergencyStarted, emergency('call-f'), { messageId: 'call-f' })
  const failed = await until(
    () => notified.find((n) => n.callId === 'call-f' && n.channel === 'webhook'),
    'webhook gave up',
  )
  assert.equal(failed.delivered, false)
  assert.equal(failed.detail, 'HTTP 503')
  assert.equal(posts.filter((p) => p.callId === 'call-f').length, 3)
  assert.equal(notified.find((n) => n.callId === 'call-f' && n.channel === 'sip-message')?.delivered, true)
  status = 200
  hang = true
  await edge.record(EmergencyStarted, emergency('call-h'), { messageId: 'call-h' })
  await until(() => notified.find((n) => n.callId === 'call-h' && n.channel === 'sip-message'), 'the other channel')
  assert.equal(ref(await ask({ user: 'alice', sourceAddress: '127.0.0.1' })), 'hq-2-201')
})

test('a stop does not wait for a hanging desk; a restart knows the record and tells nobody twice', async () => {
  const before = performance.now()
  await service.stop()
  assert.ok(performance.now() - before < 8000)
  await incidents.close()
  hang = false
  await start()
  const told = messages.length
  await edge.record(EmergencyStarted, emergency('call-g'), { messageId: 'call-g' })
  await until(() => notified.filter((n) => n.callId === 'call-g').length === 2, 'the new call')
  assert.deepEqual(
    messages.slice(told).map((m) => /Call: (.*)$/.exec(m.body)?.[1]),
    ['call-g'],
  )
  const asked = await console.ask(ListIncidents, {})
  assert(asked.kind === 'answer')
  assert.deepEqual(
    asked.answer.incidents.map((i) => i.callId),
    ['call-g', 'call-h', 'call-f', 'call-e'],
  )
  assert.doesNotMatch(logged.join(''), /damaged/)
})

test('an emergency call that began while the service was away is told when it is back', async () => {
  await service.stop()
  await incidents.close()
  await edge.record(EmergencyStarted, emergency('call-away'), { messageId: 'call-away' })
  await start()
  await until(() => notified.filter((n) => n.callId === 'call-away').length === 2, 'told late')
})

test('a new configuration holds at once', async () => {
  service.configure(
    acme(acmeYaml.replace('site: hq, policy: staff, location: hq-2-201', 'site: hq, policy: staff, location: hq-3')),
  )
  assert.equal(ref(await ask({ user: 'alice', sourceAddress: '127.0.0.1' })), 'hq-3')
})
