/** RFC 4028 inside a call, with a clock that the test turns: real dialogs and transactions, wires that keep what was sent. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dialog } from '@tandem/sip/dialog/dialog.ts'
import { makeResponse, withReceived } from '@tandem/sip/message/make.ts'
import type { SipMessage, SipRequest } from '@tandem/sip/message/message.ts'
import { parseDatagram } from '@tandem/sip/message/parse.ts'
import { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import { CallLeg } from '../src/domain/call-leg.ts'
import type { CallParts } from '../src/domain/call-parts.ts'
import { CallSession } from '../src/domain/call-session.ts'
import type { MediaLeg } from '../src/domain/media-engine.ts'
import type { Edge, Wire } from '../src/edge.ts'
import { ALONE } from '../src/survival.ts'

function turnable() {
  let now = 1000
  const timers = new Set<{ at: number; run: () => void }>()
  return {
    now: () => now,
    wall: () => 1_700_000_000_000 + now,
    setTimer(ms: number, run: () => void) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return timer
    },
    clearTimer: (timer: unknown) => void timers.delete(timer as never),
    async turn(ms: number) {
      const until = now + ms
      for (;;) {
        const next = [...timers].filter((t) => t.at <= until).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        now = Math.max(now, next.at)
        timers.delete(next)
        next.run()
        await Promise.resolve()
      }
      now = until
    },
  }
}

const SDP = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 4000 RTP/AVP 0',
  '',
].join('\r\n')

const silentMedia: MediaLeg = {
  offer: (sdp, _peer, _to, done) => done(sdp.lines.join('\r\n')),
  answer: (sdp, _peer, _to, done) => done(sdp.lines.join('\r\n')),
  settle: (done) => done(undefined),
  direct: false,
  connect() {},
  tune() {},
  counts: () => undefined,
  lastHeard: () => clockNow(),
  close() {},
}
let clockNow = () => 0

function house(
  options: {
    inactivityMs?: number
    emergency?: boolean
    direct?: boolean
    takesUpdate?: boolean
    answer?: (request: SipRequest) => [number, [string, string][]] | undefined
  } = {},
) {
  const clock = turnable()
  clockNow = clock.now
  const sent: { side: string; message: SipRequest }[] = []
  const records: { side: string; reason: string | undefined; status: number }[] = []
  let n = 0
  const layer = new TransactionLayer({ ...clock, random: () => `r${++n}`, onRequest() {}, onAck() {} })
  const answer = options.answer ?? (() => [200, []])
  const wire = (side: string): Wire => ({
    reliable: true,
    transport: 'TCP',
    sentBy: '127.0.0.1:5060',
    name: side,
    listener: 'inside',
    remoteAddress: '127.0.0.1',
    remotePort: 5062,
    localAddress: '127.0.0.1',
    localPort: 5060,
    flow: side,
    alive: true,
    keepUntil() {},
    send(bytes) {
      const parsed = parseDatagram(Buffer.from(bytes))
      if (parsed.kind !== 'message' || parsed.message.kind !== 'request') return
      const request = parsed.message
      sent.push({ side, message: request })
      if (request.method === 'ACK') return
      const how = answer(request)
      if (!how) return
      const body = request.method === 'INVITE' && how[0] < 300 ? { body: SDP, contentType: 'application/sdp' } : {}
      const response = makeResponse(request, how[0], {
        toTag: 'peer',
        headers: how[1],
        contact: '<sip:x@127.0.0.1:5062>',
        ...body,
      })
      queueMicrotask(() => layer.receiveResponse(response))
    },
  })
  const leg = (side: 'caller' | 'callee'): CallLeg => {
    const made = new CallLeg({
      legId: side,
      role: side,
      party: { kind: 'user', user: side },
      direction: side === 'caller' ? 'in' : 'out',
      wire: wire(side),
      peer: { address: '127.0.0.1', behindNat: false },
      media: options.direct ? { ...silentMedia, direct: true } : silentMedia,
      sipCallId: side,
      localTag: 'us',
      attempt: 1,
      contact: '<sip:us@127.0.0.1:5060>',
      startedMs: 0,
      startedWall: 0,
    })
    made.dialog = dialogOf(side)
    made.said = SDP
    made.heard = SDP
    made.answeredAtMs = clock.now()
    made.takesUpdate = options.takesUpdate ?? true
    return made
  }
  const caller = leg('caller')
  const callee = leg('callee')
  const edge = {
    clock,
    transactions: layer,
    capture: { follow() {}, forget() {} },
    trunks: { credentials: () => undefined, callEnded() {}, callStarted() {} },
    log: { warn() {}, info() {} },
  } as unknown as Edge
  const config = {
    edge: { sessionTimerS: 1800, interimMs: 60_000, media: { inactivityMs: options.inactivityMs ?? 0 } },
  }
  const parts = {
    edge,
    dialogs: new Map(),
    random: () => `random${++n}`,
    config: () => config,
    held: ALONE.held,
    tell: {
      interim() {},
      ended: (_: unknown, l: CallLeg, end: { reason?: string; status: number }) =>
        records.push({ side: l.legId, reason: end.reason, status: end.status }),
    },
  } as unknown as CallParts
  let over = 0
  const facts = { callId: 'c', edge: 'e', from: '', dialled: '', to: undefined, emergency: options.emergency ?? false }
  const session = new CallSession(parts, facts, caller, callee, () => over++)
  const methods = (side: string) => sent.filter((s) => s.side === side).map((s) => s.message.method)
  return { clock, layer, session, caller, callee, sent, records, methods, over: () => over }
}

function dialogOf(side: string): Dialog {
  return {
    role: 'uas',
    state: 'confirmed',
    callId: side,
    localTag: 'us',
    remoteTag: 'peer',
    localParty: '<sip:us@acme.example>;tag=us',
    remoteParty: '<sip:x@acme.example>;tag=peer',
    remoteTarget: 'sip:x@127.0.0.1:5062',
    routeSet: [],
    localSequence: 1,
    remoteSequence: 1,
    secure: false,
  }
}

test('as refresher we send UPDATE after half the interval, and the call goes on', async () => {
  const h = house({ answer: (r) => [200, [['Session-Expires', r.headers.get('session-expires') ?? '']]] })
  h.callee.session = { interval: 600, refresher: 'us' }
  h.session.begin()
  await h.clock.turn(299_000)
  assert.deepEqual(h.methods('callee'), [])
  await h.clock.turn(2_000)
  assert.deepEqual(h.methods('callee'), ['UPDATE'])
  assert.equal(h.sent[0]?.message.headers.get('session-expires'), '600;refresher=uac')
  assert.equal(h.sent[0]?.message.body.length, 0)
  await h.clock.turn(300_000)
  assert.deepEqual(h.methods('callee'), ['UPDATE', 'UPDATE'])
  assert.deepEqual(h.methods('caller'), [])
})

test('a call of three hours is refreshed on both sides, whoever does it, and never cut', async () => {
  const h = house({
    takesUpdate: false,
    answer: (r) => [200, [['Session-Expires', r.headers.get('session-expires') ?? '']]],
  })
  h.caller.session = { interval: 1800, refresher: 'us' }
  h.callee.session = { interval: 900, refresher: 'us' }
  h.session.begin()
  await h.clock.turn(3 * 3_600_000)
  assert.equal(h.over(), 0)
  assert.deepEqual([...new Set(h.methods('callee'))], ['INVITE', 'ACK'])
  assert.equal(h.methods('caller').filter((m) => m === 'INVITE').length, 12)
  assert.equal(h.methods('callee').filter((m) => m === 'INVITE').length, 24)
})

test('a peer that knows no UPDATE is refreshed by a re-INVITE that changes nothing', async () => {
  const h = house({
    takesUpdate: false,
    answer: (r) => [200, [['Session-Expires', r.headers.get('session-expires') ?? '']]],
  })
  h.caller.session = { interval: 600, refresher: 'us' }
  h.session.begin()
  await h.clock.turn(301_000)
  assert.deepEqual(h.methods('caller'), ['INVITE', 'ACK'])
  assert.equal(Buffer.from(h.sent[0]?.message.body ?? []).toString(), SDP)
  assert.deepEqual(h.methods('callee'), [])
})

test('nobody answers the refresh: both sides are hung up (RFC 3261 12.2.1.2)', async () => {
  const h = house({ answer: (r) => (r.method === 'UPDATE' ? undefined : [200, []]) })
  h.callee.session = { interval: 600, refresher: 'us' }
  h.session.begin()
  await h.clock.turn(340_000)
  assert.deepEqual(h.methods('callee'), ['UPDATE', 'BYE'])
  assert.deepEqual(h.methods('caller'), ['BYE'])
  assert.equal(h.over(), 1)
  assert.equal(h.records.length, 2)
})

test('the peer is to refresh and does not: BYE before the interval is over (RFC 4028 10)', async () => {
  const h = house()
  h.caller.session = { interval: 600, refresher: 'peer' }
  h.session.begin()
  await h.clock.turn(567_000)
  assert.equal(h.over(), 0)
  await h.clock.turn(2_000)
  assert.equal(h.over(), 1)
  assert.deepEqual(
    h.records.map((r) => r.reason),
    ['session expired', 'session expired'],
  )
})

test('a refresh that meets another one (491) is tried again, one that is too small (422) with more', async () => {
  let round = 0
  const h = house({
    answer: (r) => {
      round++
      if (round === 1) return [491, []]
      if (round === 2) return [422, [['Min-SE', '1200']]]
      return [200, [['Session-Expires', r.headers.get('session-expires') ?? '']]]
    },
  })
  h.callee.session = { interval: 600, refresher: 'us' }
  h.session.begin()
  await h.clock.turn(320_000)
  assert.deepEqual(h.methods('callee'), ['UPDATE', 'UPDATE', 'UPDATE'])
  assert.equal(h.sent[2]?.message.headers.get('session-expires'), '1200;refresher=uac')
  assert.equal(h.over(), 0)
})

test('a refresh of the peer is answered here and not passed on', async () => {
  const h = house()
  h.session.begin()
  const request = update()
  const wire = h.caller.wire
  const replies: SipMessage[] = []
  const layer = new TransactionLayer({
    ...turnable(),
    random: () => 'x',
    onRequest: (transaction) => h.session.onRequest(h.caller, transaction),
    onAck() {},
  })
  const peer: Wire = {
    ...wire,
    send(bytes) {
      const parsed = parseDatagram(Buffer.from(bytes))
      if (parsed.kind === 'message') replies.push(parsed.message)
    },
  }
  layer.receiveRequest(withReceived(request, '127.0.0.1', 5062), peer)
  const [reply] = replies
  assert.ok(reply?.kind === 'response' && reply.status === 200)
  assert.equal(reply.headers.get('session-expires'), '300;refresher=uac')
  assert.deepEqual(h.methods('callee'), [])
  assert.deepEqual(h.caller.session, { interval: 300, refresher: 'peer' })
})

function update(): SipRequest {
  const text = [
    'UPDATE sip:us@127.0.0.1:5060 SIP/2.0',
    'Via: SIP/2.0/TCP 127.0.0.1:5062;branch=z9hG4bKupdate',
    'Max-Forwards: 70',
    'From: <sip:x@acme.example>;tag=peer',
    'To: <sip:us@acme.example>;tag=us',
    'Call-ID: caller',
    'CSeq: 2 UPDATE',
    'Contact: <sip:x@127.0.0.1:5062>',
    'Supported: timer',
    'Session-Expires: 300;refresher=uac',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
  const parsed = parseDatagram(Buffer.from(text))
  if (parsed.kind !== 'message' || parsed.message.kind !== 'request') throw new Error(parsed.kind)
  return parsed.message
}

test('no audio from either side for too long: hung up; not while somebody is on hold', async () => {
  const h = house({ inactivityMs: 60_000 })
  h.session.begin()
  clockNow = () => 1
  await h.clock.turn(55_000)
  assert.equal(h.over(), 0)
  await h.clock.turn(30_000)
  assert.deepEqual(
    h.records.map((r) => r.reason),
    Array(2).fill('no RTP or RTCP received from caller (user:caller) for 60 s, nor from callee (user:callee) for 60 s'),
  )
  const held = house({ inactivityMs: 60_000 })
  held.caller.heard = `${SDP}a=sendonly\r\n`
  held.session.begin()
  clockNow = () => 1
  await held.clock.turn(600_000)
  assert.equal(held.over(), 0)
})

test('a call for help is never hung up for silence, nor one whose audio goes past the edge', async () => {
  for (const kind of [{ emergency: true }, { direct: true }]) {
    const h = house({ inactivityMs: 60_000, ...kind })
    h.session.begin()
    clockNow = () => 1
    await h.clock.turn(600_000)
    assert.equal(h.over(), 0, JSON.stringify(kind))
  }
})

test('RFC 3550 6.4: one side that is heard, by reports alone, keeps the call up; when it ceases, each silence is told', async () => {
  const h = house({ inactivityMs: 60_000 })
  const { now } = h.clock
  h.session.begin()
  clockNow = () => 1
  const reported = { ...silentMedia, lastHeard: now }
  Object.assign(h.caller, { media: reported })
  await h.clock.turn(300_000)
  assert.equal(h.over(), 0)
  const last = now()
  Object.assign(h.caller, { media: { ...silentMedia, lastHeard: () => last } })
  await h.clock.turn(90_000)
  const [first] = h.records
  assert.match(
    first?.reason ?? '',
    /^no RTP or RTCP received from caller \(user:caller\) for (6|7)\d s, nor from callee \(user:callee\) for 3[67]\d s$/,
  )
})
