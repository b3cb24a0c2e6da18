/** Several devices of one user: GRUU (RFC 5627), flows (RFC 5626), Path (RFC 3327), q (RFC 3261 16.6). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { SubscribePresence } from '@tandem/contracts/presence.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { eventually } from './carrier-side.ts'
import { isRequest, type RawPeer, rawPeer, registerUser, requestOf, withCredentials } from './raw-peer.ts'
import { PASSWORDS } from './start-edge.ts'

let lab: CallEdge
let caller: RawPeer

before(async () => {
  lab = await startCallEdge()
  await lab.bob.unregister()
  lab.route(({ dialled }) => {
    if (dialled === '12065550100') return plan([toTrunk('itsp-a', dialled)])
    return dialled === 'bob' ? plan([toUser('bob'), toTrunk('itsp-a', '12065550142')]) : undefined
  })
  caller = await rawPeer('UDP', { port: lab.edge.port('inside') })
  await registerUser(caller, 'alice', PASSWORDS.ALICE_PASSWORD)
})
after(async () => {
  caller.close()
  await lab.close()
})

const SDP = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 40000 RTP/AVP 0',
  '',
].join('\r\n')

const call = (uri = 'sip:bob@acme.example'): Promise<SipResponse> =>
  caller.ask(
    requestOf(caller, 'INVITE', { uri, to: '<sip:bob@acme.example>', body: SDP, contentType: 'application/sdp' }),
  )

interface Device {
  peer: RawPeer
  answer: SipResponse
  /** INVITEs that came. */
  readonly rung: SipRequest[]
}

/** A device of bob that answers every INVITE with a status. */
async function device(
  params: string,
  status: number,
  options: { supported?: string; path?: string; via?: boolean; transport?: 'UDP' | 'TCP'; callId?: string } = {},
): Promise<Device> {
  const peer = await rawPeer(options.transport ?? 'UDP', {
    port: lab.edge.port(options.transport === 'TCP' ? 'inside-tcp' : 'inside'),
  })
  const rung: SipRequest[] = []
  serve(peer, status, rung)
  const transport = options.transport === 'TCP' ? ';transport=tcp' : ''
  const answer = await register(peer, `<sip:bob@127.0.0.1:${peer.port}${transport}>${params}`, options)
  return { peer, answer, rung }
}

async function register(
  peer: RawPeer,
  contact: string,
  options: { supported?: string; path?: string; via?: boolean; callId?: string } = {},
): Promise<SipResponse> {
  const headers: [string, string][] = [['Expires', '300']]
  if (options.supported) headers.push(['Supported', options.supported])
  if (options.path) headers.push(['Path', options.path])
  const made = requestOf(peer, 'REGISTER', {
    user: 'bob',
    contact,
    headers,
    ...(options.callId === undefined ? {} : { callId: options.callId }),
  })
  const inner = () => {
    if (options.via) made.headers.prepend('Via', `SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bK${Math.random()}`)
    return made
  }
  const challenge = await peer.ask(inner())
  const proven = withCredentials(made, challenge, { user: 'bob', password: PASSWORDS.BOB_PASSWORD })
  if (options.via) proven.headers.prepend('Via', `SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bK${Math.random()}`)
  return await peer.ask(proven)
}

function serve(peer: RawPeer, status: number, rung: SipRequest[]): void {
  peer.next(isRequest('INVITE'), 60_000).then(
    (request) => {
      rung.push(request)
      peer.reply(request, status)
      serve(peer, status, rung)
    },
    () => {},
  )
}

async function forget(...devices: { peer: RawPeer }[]): Promise<void> {
  const last = devices[0]?.peer
  if (last) {
    const request = requestOf(last, 'REGISTER', { user: 'bob', contact: '*', headers: [['Expires', '0']] })
    const challenge = await last.ask(request)
    await last.ask(withCredentials(request, challenge, { user: 'bob', password: PASSWORDS.BOB_PASSWORD }))
  }
  for (const { peer } of devices) peer.close()
  assert.equal(lab.edge.core.edge.bindings.of('bob').length, 0)
}

const INSTANCE = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
const gruuOf = (answer: SipResponse, kind: 'pub' | 'temp'): string => {
  const own = answer.headers.getAll('contact').find((c) => c.includes(INSTANCE)) ?? ''
  return new RegExp(`;${kind}-gruu="([^"]+)"`).exec(own)?.[1] ?? ''
}

test('RFC 5627: a GRUU, public or temporary, rings one device of the user and no trunk in its place', async () => {
  const desk = await device(`;+sip.instance="<${INSTANCE}>"`, 480, { supported: 'gruu', callId: 'desk-1' })
  const other = await device('', 480)
  assert.equal(gruuOf(desk.answer, 'pub'), `sip:bob@acme.example;gr=${INSTANCE}`)
  assert.match(gruuOf(desk.answer, 'temp'), /^sip:tgruu\.[\w-]{48}@acme\.example;gr$/)
  assert.doesNotMatch(other.answer.headers.get('contact') ?? '', /temp-gruu/, 'not for those who do not know them')
  for (const kind of ['pub', 'temp'] as const) {
    desk.rung.length = 0
    assert.equal((await call(gruuOf(desk.answer, kind))).status, 480)
    assert.equal(desk.rung.length, 1, kind)
    assert.equal(desk.rung[0]?.uri, `sip:bob@127.0.0.1:${desk.peer.port}`, 'the contact, without gr')
  }
  assert.equal(other.rung.length, 0)
  await forget(desk, other)
})

test('RFC 5627 5.1, 5.3: temporary GRUUs live as long as the Call-ID of the registration, a public one for ever', async () => {
  const desk = await device(`;+sip.instance="<${INSTANCE}>"`, 480, { supported: 'gruu', callId: 'desk-2' })
  const first = gruuOf(desk.answer, 'temp')
  const contact = `<sip:bob@127.0.0.1:${desk.peer.port}>;+sip.instance="<${INSTANCE}>"`
  const again = await register(desk.peer, contact, { supported: 'gruu', callId: 'desk-3' })
  assert.equal((await call(first)).status, 404, 'the device began anew')
  const second = gruuOf(again, 'temp')
  assert.notEqual(second, first)
  assert.equal((await call(second)).status, 480)
  const forged = second.replace(/tgruu\.(.)/, (_, c: string) => `tgruu.${c === 'A' ? 'B' : 'A'}`)
  assert.equal((await call(forged)).status, 404)
  await forget(desk)
  assert.equal((await call(second)).status, 404)
  assert.equal((await call(gruuOf(again, 'pub'))).status, 480)
})

test('RFC 5627 6.1: a GRUU means its device in MESSAGE, its user in SUBSCRIBE, and its device for a transfer', async () => {
  const desk = await device(`;+sip.instance="<${INSTANCE}>"`, 486, { supported: 'gruu', callId: 'desk-4' })
  const other = await device('', 480)
  const presence = await lab.edge.nats.bus('presence')
  const watched: string[] = []
  presence.answer(SubscribePresence, ({ presentity }) => {
    watched.push(presentity)
    return { status: 404 }
  })
  await presence.flush()
  for (const kind of ['pub', 'temp'] as const) {
    const uri = gruuOf(desk.answer, kind)
    const sent = caller.ask(requestOf(caller, 'MESSAGE', { uri, body: kind, contentType: 'text/plain' }))
    const message = await desk.peer.next(isRequest('MESSAGE'))
    desk.peer.reply(message, 200)
    assert.equal((await sent).status, 200)
    const watch = requestOf(caller, 'SUBSCRIBE', { uri, headers: [['Event', 'presence']] })
    assert.equal((await caller.ask(watch)).status, 404)

    const call = await lab.alice.call('12065550100')
    await call.answered
    desk.rung.length = 0
    assert.equal((await call.transfer(uri)).status, 202)
    await eventually('the transferor hears that the device is busy', () => call.progress.at(-1) === 486)
    assert.equal(desk.rung.length, 1, `the device was rung (${kind})`)
    await call.hangUp()
  }
  assert.deepEqual(watched, ['bob', 'bob'])
  assert.deepEqual([other.rung.length, other.peer.received.length], [0, 0], 'no other device of his')
  const unknown = { uri: 'sip:tgruu.x@acme.example;gr' }
  assert.equal((await caller.ask(requestOf(caller, 'MESSAGE', unknown))).status, 404)
  const event: [string, string][] = [['Event', 'presence']]
  assert.equal((await caller.ask(requestOf(caller, 'SUBSCRIBE', { ...unknown, headers: event }))).status, 404)
  assert.deepEqual(watched.length, 2)
  await presence.close()
  await forget(desk, other)
})

test('RFC 5627 5.1: the address of record as contact would go round for ever: 403', async () => {
  const peer = await rawPeer('UDP', { port: lab.edge.port('inside') })
  assert.equal((await register(peer, `<sip:bob@acme.example>;+sip.instance="<${INSTANCE}>"`)).status, 403)
  assert.equal((await register(peer, `<sip:bob@acme.example;gr=x>`)).status, 403)
  peer.close()
})

test('RFC 5626 7: two flows of one device are rung one after the other: the second when the first has failed (430)', async () => {
  const flow = (n: number) => `;reg-id=${n};+sip.instance="<${INSTANCE}>"`
  const first = await device(flow(1), 480, { supported: 'path, outbound' })
  await new Promise((done) => setTimeout(done, 5))
  const second = await device(flow(2), 430, { supported: 'path, outbound' })
  assert.equal(first.answer.headers.get('require'), 'outbound')
  await call()
  assert.deepEqual([second.rung.length, first.rung.length], [1, 1], 'both were asked')
  assert.equal(lab.edge.core.edge.bindings.of('bob')[0]?.other(), undefined, 'the flow that failed is forgotten')
  second.rung.length = 0
  await call()
  assert.deepEqual([second.rung.length, first.rung.length], [0, 2])
  await forget(first, second)
})

test('RFC 5626 7: a device that has spoken is not asked again on another flow', async () => {
  const flow = (n: number) => `;reg-id=${n};+sip.instance="<${INSTANCE}>"`
  const first = await device(flow(1), 480, { supported: 'path, outbound' })
  await new Promise((done) => setTimeout(done, 5))
  const second = await device(flow(2), 486, { supported: 'path, outbound' })
  assert.equal((await call()).status, 486)
  assert.deepEqual([second.rung.length, first.rung.length], [1, 0])
  await forget(first, second)
})

test('RFC 3261 16.6: contacts of a lower q are rung when those above have failed, and not when they are busy', async () => {
  const rung: string[] = []
  const low = await device(';q=0.2', 480)
  const high = await device(';q=0.9', 404)
  const highest = await device(';q=1.0', 480)
  for (const [name, d] of [
    ['low', low],
    ['high', high],
    ['highest', highest],
  ] as const) {
    d.rung.push = (...r) => {
      rung.push(name)
      return Array.prototype.push.apply(d.rung, r)
    }
  }
  await call()
  assert.deepEqual(rung, ['highest', 'high', 'low'])
  const busy = await device(';q=0.95', 486)
  rung.length = 0
  assert.equal((await call()).status, 486)
  assert.deepEqual(rung, ['highest'])
  await forget(low, high, highest, busy)
})

test('RFC 3327: a phone behind a proxy is reached with its Path as Route, and stays when the connection closes', async () => {
  const proxy = await rawPeer('UDP', { port: lab.edge.port('inside') })
  const rung: SipRequest[] = []
  serve(proxy, 486, rung)
  const path = `<sip:token@127.0.0.1:${proxy.port};transport=udp;lr;ob>`
  const behind = await device(`;reg-id=1;+sip.instance="<${INSTANCE}>"`, 486, {
    supported: 'path, outbound',
    path,
    via: true,
    transport: 'TCP',
  })
  assert.equal(behind.answer.status, 200)
  assert.equal(behind.answer.headers.get('path'), path)
  assert.equal(behind.answer.headers.get('require'), 'outbound')
  assert.equal((await call()).status, 486)
  assert.equal(behind.rung[0]?.headers.get('route'), path)
  assert.match(behind.rung[0]?.uri ?? '', new RegExp(`^sip:bob@127\\.0\\.0\\.1:${behind.peer.port}`))
  behind.peer.close()
  await eventually(
    'reached by its Path',
    () => lab.edge.core.edge.bindings.of('bob')[0]?.wire()?.remotePort === proxy.port,
  )
  assert.equal((await call()).status, 486)
  assert.equal(rung[0]?.headers.get('route'), path)
  const without = await device(`;reg-id=1;+sip.instance="<${INSTANCE}>"`, 486, {
    supported: 'path, outbound',
    path: path.replace(';ob', ''),
    via: true,
  })
  assert.equal(without.answer.status, 439, 'RFC 5626 6: the first hop lacks outbound')
  without.peer.close()
  await forget({ peer: proxy })
})
