/** edge.md E10: what crosses a zone tells nothing of the other side, seen on the wire; calls from behind two NATs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Actor, actorOn } from './lab/move.ts'
import {
  type Capture,
  CORP,
  CORP_NAT,
  capture,
  DMZ,
  HOME,
  HOME_NAT,
  ITSP,
  type Lab,
  makeLab,
  whyNoLab,
} from './lab/network.ts'
import { plainDocument } from './platform.ts'

const skip = whyNoLab() ?? false
/** What only the carrier may know of itself: its core and its customers' numbers of its own. */
const CARRIER_CORE = 'core-7.carrier.internal'

let lab: Lab
let platform: Actor
let alice: Actor
let bob: Actor
let carrier: Actor
const captures: Partial<Record<'corp' | 'home' | 'itsp', Capture>> = {}

interface Told {
  readonly callId: string
  readonly tone: number
  readonly audioPort: number
}
/** Call-IDs by the side on which they were seen. */
const callIds = { phones: [] as string[], carrier: [] as string[] }

function labDocument() {
  const ports = { inside: 5060, tls: 5061, carrier: 5070, carrierA: 5080, carrierB: 5090, api: 8080, mediaFrom: 20_000 }
  // biome-ignore lint/suspicious/noExplicitAny: a document of YAML, read by its own schema
  const d = plainDocument(ports) as any
  d.edge.listen = {
    inside: { url: `udp://${DMZ}:5060` },
    remote: { url: `tls://${DMZ}:5061`, certificate: 'certs/edge.pem', privateKey: 'certs/edge.key' },
    carrier: { url: `udp://${DMZ}:5070` },
  }
  d.edge.media = { relay: 'embedded', address: DMZ, ports: '20000-20999' }
  d.sites.hq.networks = [`${CORP_NAT}/32`]
  d.trunks = { 'itsp-a': { ...d.trunks['itsp-a'], to: [`sip:${ITSP}:5080`], from: [ITSP] } }
  for (const route of d.routes) route.trunks = ['itsp-a']
  d.emergency.trunks = ['itsp-a']
  return d
}

before(async () => {
  if (skip) return
  lab = await makeLab()
  platform = actorOn(lab, 'dmz')
  carrier = actorOn(lab, 'itsp')
  alice = actorOn(lab, 'corp')
  bob = actorOn(lab, 'home')
  await carrier.do('carrier', {
    parts: { name: CARRIER_CORE, listen: `udp://${ITSP}:5080`, target: `udp://${DMZ}:5070`, realm: CARRIER_CORE },
  })
  await platform.do('platform', { document: labDocument() })
  captures.corp = await capture(lab, 'corp', 'eth0')
  captures.home = await capture(lab, 'home', 'eth0')
  captures.itsp = await capture(lab, 'itsp', 'eth0')
  const phone = { domain: 'acme.example', server: `udp://${DMZ}:5060` }
  await alice.do('phone', { parts: { ...phone, name: 'alice', bind: CORP, password: 'alice-password' } })
  await bob.do('phone', { parts: { ...phone, name: 'bob', bind: HOME, password: 'bob-password' } })
})
after(async () => {
  for (const actor of [alice, bob, carrier, platform]) await actor?.close()
  await lab?.close()
})

/** A call that stands, heard both ways, held, resumed and hung up by the one who called. */
async function talk(
  caller: Actor,
  to: { to: string; from?: string },
  callee: Actor,
  from: 'phones' | 'carrier',
): Promise<void> {
  const [out, into] = await Promise.all([caller.do<Told>('call', to), callee.do<Told>('take')])
  callIds[from].push(out.callId)
  callIds[callee === carrier ? 'carrier' : 'phones'].push(into.callId)
  const hear = () => Promise.all([caller.do('hears', { tone: into.tone }), callee.do('hears', { tone: out.tone })])
  await hear()
  assert.equal(await caller.do('hold'), 200)
  assert.equal(await caller.do('resume'), 200)
  await hear()
  await caller.do('hang-up')
  assert.equal((await callee.do<{ why: string }>('ended')).why, 'hung-up')
}

test('from behind the NAT of the office alice calls the PSTN, and is heard', { skip }, async () => {
  await talk(alice, { to: '912065550100' }, carrier, 'phones')
})

test('from behind a NAT at home, with random ports, bob calls the PSTN, and is heard', { skip }, async () => {
  await talk(bob, { to: '912065550101' }, carrier, 'phones')
})

test('the PSTN reaches both by their DIDs, behind their NATs', { skip }, async () => {
  await talk(carrier, { from: '+12065550177', to: '+14255551001' }, alice, 'carrier')
  await talk(carrier, { from: '+12065550177', to: '+14255551002' }, bob, 'carrier')
})

test('the office calls home by extension, NAT to NAT', { skip }, async () => {
  await talk(alice, { to: '1002' }, bob, 'phones')
})

test('a call for help leaves with the address of the office and nothing of its network', { skip }, async () => {
  await talk(alice, { to: '911' }, carrier, 'phones')
})

test('on the wire no side is told an address, a host or a Call-ID of another', { skip }, async () => {
  const atCarrier = (await captures.itsp?.stop())?.toString('latin1') ?? ''
  const atOffice = (await captures.corp?.stop())?.toString('latin1') ?? ''
  const atHome = (await captures.home?.stop())?.toString('latin1') ?? ''
  for (const [where, seen] of Object.entries({ atCarrier, atOffice, atHome })) {
    assert.match(seen, /INVITE sip:/, `calls were captured ${where}`)
    assert.match(seen, new RegExp(`c=IN IP4 ${DMZ.replaceAll('.', '\\.')}`), `the edge's own address ${where}`)
  }
  const leaks = (seen: string, secrets: readonly string[]) => secrets.filter((secret) => seen.includes(secret))
  const inside = [CORP, CORP_NAT, '10.20.0.', HOME, HOME_NAT, '192.168.77.']
  assert.ok(callIds.phones.length >= 7 && callIds.carrier.length >= 5)
  assert.deepEqual(leaks(atCarrier, [...inside, ...callIds.phones, 'sip:alice', 'sip:bob']), [])
  const outside = [ITSP, CARRIER_CORE, ...callIds.carrier]
  assert.deepEqual(leaks(atOffice, [...outside, HOME, HOME_NAT, '192.168.77.']), [])
  assert.deepEqual(leaks(atHome, [...outside, CORP, '10.20.0.', CORP_NAT]), [])
})
