/** What the first call through Tandem shows (npm start), as assertions: phones, carriers, a mobile, 911, failover, the bill. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { Cdr, UsageSample } from '@tandem/contracts/billing.ts'
import type { LocateAnswer } from '@tandem/contracts/location.ts'
import type { PresenceState } from '@tandem/contracts/presence.ts'
import { add, formatMoney, type Money, parseMoney } from '@tandem/money/money.ts'
import type { Phone } from '@tandem/testing/phone.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { type Collector, startCollector } from './collector.ts'
import {
  A_PERSON_ANSWERS_AFTER,
  CARRIERS,
  callOf,
  ELSEWHERE,
  type Enterprise,
  hearEachOther,
  MOBILE_AT_A,
  OFFICE,
  ROOM,
  startEnterprise,
} from './enterprise.ts'
import { type Document, eventually } from './platform.ts'
import { allThatIsTold, secretsOf } from './told.ts'

const CALLER = '+13605550199'
let here: Enterprise
let alice: Phone
let bob: Phone
let carol: Phone
/** A call with a short session interval that goes on while the other tests run. */
let long: { call: CallHandle; far: CallHandle; heard: { byCarol: number; atCarriers: number } }
const heardByAlice: string[] = []
const heardByBob: string[] = []
const heardByCarol: string[] = []

let collector: Collector

/** Carrier B is offered SRTP (RFC 8643), and callers are signed towards it. */
function withKeys(document: Document): Document {
  // biome-ignore lint/suspicious/noExplicitAny: a document of YAML, read by its own schema
  const d = document as any
  const sign = { x5u: 'https://certificates.example/acme.pem', key: { env: 'STIR_KEY' } }
  d.trunks['itsp-b'] = { ...d.trunks['itsp-b'], srtp: 'optional', stir: { sign } }
  return d
}

before(async () => {
  collector = await startCollector()
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  here = await startEnterprise(withKeys, {
    STIR_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '200',
    LOG_LEVEL: 'debug',
  })
  alice = await here.insidePhone('alice', { heard: heardByAlice })
  bob = await here.outsidePhone('bob', { heard: heardByBob })
  carol = await here.insidePhone('carol', { heard: heardByCarol, sessionExpires: 90 })
})
after(async () => {
  await here?.close()
  await collector?.close()
})

async function presenceOf(user: string): Promise<PresenceState | undefined> {
  const { states } = await here.platform.get<{ states: PresenceState[] }>(`/api/v1/presence?user=${user}`)
  return states[0]
}

/** Resolves with the ms that it took. */
async function presenceBecomes(user: string, fits: (state: PresenceState) => boolean): Promise<number> {
  const began = performance.now()
  let last: PresenceState | undefined
  while (performance.now() - began < 30_000) {
    last = await presenceOf(user)
    if (last && fits(last)) return performance.now() - began
    await pause(20)
  }
  throw new Error(`${user} is still ${JSON.stringify(last)}`)
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
const onThePhone = (device: string) => (s: PresenceState) =>
  s.activities.includes('on-the-phone') && s.device === device
const available = (s: PresenceState) => s.availability === 'available'

/** The PSTN calls a DID; her mobile rings beside alice's desk and is left alone. */
async function pstnCalls(phone: Phone, did: string): Promise<{ call: CallHandle; rings: CallHandle }> {
  const calling = here.a.call({ from: CALLER, to: did, name: 'Visitor' })
  const rings = await phone.nextCall(30_000)
  return { call: await calling, rings }
}

test('a call with a session interval of 90 s begins', async () => {
  const call = await carol.call('912065550190')
  const invite = await here.a.nextInvite((i) => i.number === '12065550190', 30_000)
  await call.answered
  await hearEachOther(call, await callOf(invite))
  assert.match(call.responses.at(-1)?.headers.get('session-expires') ?? '', /^90;refresher=/)
  const heard = { byCarol: heardByCarol.length, atCarriers: here.atCarriers.length }
  long = { call, far: await callOf(invite), heard }
})

test('what alice dials is normalised to E.164 and goes to carrier A as its trunk writes numbers; both hear each other through the edge', async () => {
  const call = await alice.call('912065550100')
  const invite = await here.a.nextInvite((i) => i.number === '12065550100', 30_000)
  assert.equal(invite.request.uri.split('@')[0], 'sip:12065550100')
  await call.answered
  await hearEachOther(call, await callOf(invite))
  await presenceBecomes('alice', onThePhone('desk'))
  const { calls } = await here.platform.get<{ calls: { dialled: string; to: string }[] }>('/api/v1/calls')
  assert.equal(calls.find((c) => c.dialled === '912065550100')?.to, '+12065550100')
  assert.equal((await call.hangUp()).why, 'hung-up')
  assert.deepEqual(await (await callOf(invite)).ended, { by: 'peer', why: 'hung-up' })
})

test("the PSTN calls alice's DID: her phone in the office rings, answers and hears the caller", async () => {
  const { call, rings } = await pstnCalls(alice, '14255551001')
  const mobile = await here.a.nextInvite((i) => i.number === MOBILE_AT_A, 30_000)
  assert.match(rings.peer, /3605550199/)
  await rings.answer()
  await call.answered
  await hearEachOther(call, rings)
  const stopped = await (await callOf(mobile)).ended
  assert.equal(stopped.why, 'cancelled', 'her mobile stops ringing')
  await call.hangUp()
  assert.deepEqual(await rings.ended, { by: 'peer', why: 'hung-up' })
})

test("the PSTN calls bob's DID while he is registered over TLS from another network: he rings, answers, holds, resumes and hangs up", async () => {
  const { call, rings } = await pstnCalls(bob, '14255551002')
  await rings.answer()
  await call.answered
  await hearEachOther(call, rings)
  assert.equal(rings.audio.address, ELSEWHERE)
  assert.equal(await rings.hold(), 200)
  await eventually('the caller is held', async () => call.held, 30_000)
  assert.equal(await rings.resume(), 200)
  await eventually('the caller is not held any more', async () => !call.held, 30_000)
  const [atCaller, atBob] = [call.audio.packetsReceived, rings.audio.packetsReceived]
  await eventually(
    'audio both ways again',
    async () => {
      return call.audio.packetsReceived > atCaller + 5 && rings.audio.packetsReceived > atBob + 5
    },
    30_000,
  )
  await rings.hangUp()
  assert.deepEqual(await call.ended, { by: 'peer', why: 'hung-up' })
})

test('alice and bob call each other by extension, inside and outside', async () => {
  const calling = alice.call('1002')
  const rings = await bob.nextCall(30_000)
  const call = await calling
  await rings.answer()
  await call.answered
  await hearEachOther(call, rings)
  await call.hangUp()
  assert.deepEqual(await rings.ended, { by: 'peer', why: 'hung-up' })
})

test('the PSTN calls alice and her mobile, rung through the trunk, answers: she is on the phone (mobile) within 1 s and available again within 1 s after', async () => {
  await presenceBecomes('alice', available)
  here.a.setPhone(MOBILE_AT_A, { kind: 'answer', answerAfterMs: A_PERSON_ANSWERS_AFTER })
  try {
    const { call, rings } = await pstnCalls(alice, '14255551001')
    const mobile = await here.a.nextInvite((i) => i.number === MOBILE_AT_A, 30_000)
    await call.answered
    const shownAfter = await presenceBecomes('alice', onThePhone('mobile'))
    assert.ok(shownAfter <= whenBusy(1000), `on the phone after ${Math.round(shownAfter)} ms`)
    const [shown] = await here.platform.tandemJson<PresenceState[]>('presence', 'alice')
    assert.deepEqual([shown?.activities, shown?.device], [['on-the-phone'], 'mobile'])
    assert.equal((await rings.ended).why, 'cancelled', 'her desk phone stops ringing')
    await hearEachOther(call, await callOf(mobile))
    await call.hangUp()
    const freeAfter = await presenceBecomes('alice', available)
    assert.ok(freeAfter <= whenBusy(1000), `available after ${Math.round(freeAfter)} ms`)
    await (await callOf(mobile)).ended
  } finally {
    here.a.setPhone(MOBILE_AT_A, 'ring')
  }
})

test("alice dials 911: the carrier's INVITE carries her room, the desk is told by MESSAGE and by webhook, tandem locate gives the same", async () => {
  const call = await alice.call('911')
  const invite = await here.a.nextInvite((i) => /^911$|^urn:service:sos/.test(i.number), 30_000)
  const { headers } = invite.request
  assert.match(headers.get('content-type') ?? '', /^multipart\/mixed/)
  const cid = /<cid:([^>]+)>/.exec(headers.get('geolocation') ?? '')?.[1]
  assert.ok(cid, `Geolocation: ${headers.get('geolocation')}`)
  assert.match(headers.get('geolocation-routing') ?? '', /^(yes|no)$/)
  const part = invite.body.split(/\r\n--/).find((text) => text.includes('application/pidf+xml'))
  assert.ok(part?.toLowerCase().includes(`content-id: <${cid.toLowerCase()}>`), 'the reference is that of the part')
  for (const [field, value] of Object.entries(ROOM)) assert.equal(civicField(part ?? '', field), value, field)
  await call.answered
  await hearEachOther(call, await callOf(invite))

  const message = await bob.nextMessage(30_000)
  assert.match(message.body, /EMERGENCY CALL: alice/)
  assert.match(message.body, /201/)
  const hook = await here.desk.next((h) => h.path === '/911', 30_000)
  assert.match(hook.body, /"ROOM":"201"/)
  const located = await here.platform.tandemJson<LocateAnswer>('locate', '+14255551001')
  assert.equal(located.kind, 'found')
  if (located.kind === 'found') assert.deepEqual({ ...ROOM, ...located.place.civic }, ROOM)
  await call.hangUp()
  await (await callOf(invite)).ended
})

function civicField(xml: string, field: string): string | undefined {
  return new RegExp(`<(?:\\w+:)?${field}>([^<]*)</`).exec(xml)?.[1]?.trim()
}

for (const [how, behaviour] of [
  ['is silent', 'silent'],
  ['answers 503', { status: 503 }],
] as const) {
  test(`carrier A ${how}: the call goes out through carrier B, where we prove ourselves with digest`, async () => {
    here.a.setBehaviour(behaviour)
    try {
      const call = await alice.call('912065550101')
      await here.a.nextInvite((i) => i.number === '12065550101', 30_000)
      const invite = await here.b.nextInvite((i) => i.number === '+12065550101', 30_000)
      assert.match(invite.request.headers.get('authorization') ?? '', /^Digest .*username="acme"/)
      await call.answered
      await hearEachOther(call, await callOf(invite))
      await call.hangUp()
      await (await callOf(invite)).ended
    } finally {
      here.a.setBehaviour('answer')
    }
  })
}

test('busy and declined come to the caller and nobody else is asked', async () => {
  const asked = here.b.received.length
  for (const status of [486, 603]) {
    here.a.setPhone('12065550102', { status })
    const call = await alice.call('912065550102')
    await assert.rejects(call.answered)
    assert.equal((await call.ended).status, status)
  }
  assert.equal(here.b.received.length, asked)
})

test('a caller who gives up before the answer has her call cancelled at the carrier', async () => {
  here.a.setPhone('12065550103', 'ring')
  const call = await alice.call('912065550103')
  const invite = await here.a.nextInvite((i) => i.number === '12065550103', 30_000)
  await call.ringing
  assert.equal((await call.hangUp()).status, 487)
  assert.equal((await (await callOf(invite)).ended).why, 'cancelled')
})

test('early media of the carrier is heard before the answer', async () => {
  here.a.setPhone('12065550104', { kind: 'answer', earlyMedia: true, answerAfterMs: 60_000 })
  const call = await alice.call('912065550104')
  const invite = await here.a.nextInvite((i) => i.number === '12065550104', 30_000)
  assert.equal(await call.ringing, 183)
  await call.audio.hears((await callOf(invite)).audio.tone, 30_000)
  assert.equal(call.state, 'calling')
  await call.hangUp()
  await (await callOf(invite)).ended
})

test('OPTIONS is answered to a phone, and the edge asks its trunks by OPTIONS', async () => {
  const response = await alice.send('OPTIONS', 'sip:acme.example')
  assert.equal(response.status, 200)
  assert.match(response.headers.get('allow') ?? '', /INVITE/)
  await eventually(
    'OPTIONS at both carriers',
    async () => {
      return (here.a.counts.get('OPTIONS') ?? 0) > 0 && (here.b.counts.get('OPTIONS') ?? 0) > 0
    },
    60_000,
  )
})

test('a call outlives half of its session interval because it is refreshed on both sides', async () => {
  // every INVITE or UPDATE of the call since it stands is a refresh, or the answer to one
  const refreshed = (texts: readonly string[], { callId }: CallHandle) =>
    texts.some((text) => text.includes(callId) && /^CSeq: *\d+ (INVITE|UPDATE)\r$/im.test(text))
  const { call, far, heard } = long
  await eventually(
    'a refresh on both sides',
    async () =>
      refreshed(heardByCarol.slice(heard.byCarol), call) && refreshed(here.atCarriers.slice(heard.atCarriers), far),
    90_000,
  )
  const { packetsReceived } = call.audio
  await eventually('audio still comes', async () => long.call.audio.packetsReceived > packetsReceived + 10, 30_000)
  assert.equal(long.call.state, 'established')
  await long.far.hangUp()
  assert.deepEqual(await long.call.ended, { by: 'peer', why: 'hung-up' })
})

test('nothing of one side is told to the other: no address, no port, no Call-ID', async () => {
  const { ports } = here.platform
  const inside = [OFFICE, ELSEWHERE, `127.0.0.1:${ports.inside}`, `127.0.0.1:${ports.tls}`]
  assert.ok(here.atCarriers.length > 20)
  for (const text of here.atCarriers)
    for (const secret of inside) assert.ok(!text.includes(secret), `${secret} in\n${text}`)
  const outside = [CARRIERS, `127.0.0.1:${ports.carrier}`]
  const atPhones = [...heardByAlice, ...heardByBob, ...heardByCarol]
  for (const text of atPhones) for (const secret of outside) assert.ok(!text.includes(secret), `${secret} in\n${text}`)
  const callIds = (texts: readonly string[]) => new Set(texts.map((t) => /^Call-ID: *(.*)$/im.exec(t)?.[1]))
  const carriersKnow = callIds(here.atCarriers)
  assert.deepEqual(
    [...callIds(atPhones)].filter((id) => carriersKnow.has(id)),
    [],
  )
})

test('every leg has one CDR with its packets of both directions; user legs cost nothing, the sums agree, bandwidth is counted', async () => {
  await eventually(
    'the end of all calls',
    async () => {
      const { calls } = await here.platform.get<{ calls: { state: string }[] }>('/api/v1/calls?limit=100')
      return calls.length > 0 && calls.every((c) => c.state === 'ended')
    },
    30_000,
  )
  const { calls } = await here.platform.get<{ calls: { legs: { legId: string }[] }[] }>('/api/v1/calls?limit=100')
  const wanted = new Set(calls.flatMap((c) => c.legs.map((l) => l.legId)))
  const { cdrs } = await eventually(
    `CDRs of ${wanted.size} legs`,
    async () => {
      const listed = await here.platform.tandemJson<{ cdrs: Cdr[] }>('cdrs')
      return listed.cdrs.length >= wanted.size && listed
    },
    60_000,
  )
  assert.deepEqual(new Set(cdrs.map((c) => c.legId)), wanted)
  assert.equal(cdrs.length, wanted.size)

  for (const cdr of cdrs) {
    if (cdr.answeredAt === undefined) continue
    const { received, sent } = cdr.media ?? {}
    assert.ok((received?.packets ?? 0) > 0 && (sent?.packets ?? 0) > 0, JSON.stringify(cdr))
    assert.ok((received?.bytes ?? 0) >= 200 * (received?.packets ?? 0), '160 bytes of audio and 40 of headers a packet')
    assert.ok(received?.lossPercent !== undefined && (received.mos ?? 0) > 1, JSON.stringify(cdr.media))
  }
  for (const cdr of cdrs.filter((c) => c.party.kind === 'user')) assert.equal(parseMoney(cdr.cost.amount), 0n)
  const answered = (trunk: string) =>
    cdrs.filter((c) => c.party.kind === 'trunk' && c.party.trunk === trunk && c.answeredAt && !c.emergency)
  assert.ok(answered('itsp-a').length >= 3)
  assert.ok(answered('itsp-a').every((c) => c.cost.kind === 'per-minute'))
  assert.equal(answered('itsp-b').length, 2)
  assert.ok(answered('itsp-b').every((c) => c.cost.kind === 'bandwidth' && parseMoney(c.cost.amount) === 0n))
  const help = cdrs.filter((c) => c.emergency && c.party.kind === 'trunk')
  assert.deepEqual(
    help.map((c) => parseMoney(c.cost.amount)),
    [0n],
  )

  const summary = await here.platform.get<Summary>('/api/v1/billing/summary?closePartial=true')
  const sum = formatMoney(cdrs.map((c) => parseMoney(c.cost.amount)).reduce(add, 0n as Money), 4)
  const stated = [summary.cost.USD, summary.ledger.USD].map((m) => formatMoney(parseMoney(m ?? '0'), 4))
  assert.deepEqual(stated, [sum, sum])
  assert.notEqual(parseMoney(sum), 0n)
  assert.equal(summary.deadLetters, 0)
  // a window of 5 minutes that is over is whole, the open one ends now
  for (const s of summary.samples) assert.equal(s.partial, Date.parse(s.to) % 300_000 !== 0, JSON.stringify(s))
  for (const trunk of ['itsp-a', 'itsp-b']) {
    const ofTrunk = summary.samples.filter((s) => s.trunk === trunk)
    assert.ok(
      ofTrunk.some((s) => s.bytesIn > 0 && s.bytesOut > 0),
      JSON.stringify(summary.samples),
    )
  }
})

test('no log, trace, metric, ladder, pcap, record or revision tells a password, a key, a token, or where the caller for help was', async () => {
  const { calls } = await here.platform.get<{ calls: { callId: string }[] }>('/api/v1/calls?limit=100')
  const heard = [...here.atCarriers, ...heardByAlice, ...heardByBob, ...heardByCarol]
  const secrets = await secretsOf(here.platform, heard)
  for (const what of ['HA1 of alice', 'digest', 'SDES key', 'secrets/api-token', 'NATS password', 'STIR_KEY'])
    assert.ok([...secrets.values()].includes(what), `there is no ${what} to look for`)
  assert.ok(heard.some((text) => text.includes('Identity: ')) && heard.some((text) => text.includes(ROOM.RD)))
  const told = await allThatIsTold(
    here.platform,
    collector,
    calls.map((c) => c.callId),
  )
  const leaks = new Set<string>()
  for (const [where, text] of told) {
    for (const [secret, what] of secrets) if (text.includes(secret)) leaks.add(`${where}: ${what}`)
    // the configuration names places, and whoever may locate is told them
    const mayTell = /^GET \/api\/v1\/(config|locations|emergency\/incidents)\b/.test(where)
    if (!mayTell && text.includes(ROOM.RD)) leaks.add(`${where}: the street`)
  }
  assert.deepEqual([...leaks], [])
  const all = (kind: string) => told.filter(([where]) => where.startsWith(kind)).map(([, text]) => text)
  assert.ok(all('trace').length > 0)
  assert.match(all('GET').join(), /a=crypto:1 AES_CM_128_HMAC_SHA1_80 \[left out\]/, 'the ladders are there')
})

interface Summary {
  cost: Record<string, string>
  ledger: Record<string, string>
  samples: UsageSample[]
  deadLetters: number
}
