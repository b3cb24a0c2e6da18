/**
 * How long one SIP message takes: `node tests/bench/sip-message.ts [--json]`. Prints µs; it asserts correctness, never
 * speed. The message is an INVITE of 1433 bytes with SDP, as a desk phone sends it.
 */
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { makeRequest, makeResponse, withReceived } from '@tandem/sip/message/make.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { parseDatagram } from '@tandem/sip/message/parse.ts'
import {
  callId,
  contacts,
  contentType,
  cseq,
  from,
  maxForwards,
  requestUri,
  to,
  tokens,
  topVia,
} from '@tandem/sip/message/read.ts'
import { parseUri, writeUri } from '@tandem/sip/message/uri.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'

const SDP = [
  'v=0',
  'o=alice 2890844526 2890844526 IN IP4 192.0.2.101',
  's=-',
  'c=IN IP4 192.0.2.101',
  't=0 0',
  'm=audio 49172 RTP/AVP 9 0 8 18 101',
  'a=rtpmap:9 G722/8000',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:18 G729/8000',
  'a=fmtp:18 annexb=no',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'a=ptime:20',
  'a=rtcp:49173',
  'a=sendrecv',
  '',
].join('\r\n')

const HEAD = [
  'INVITE sip:912065550100@edge.acme.example:5060;transport=udp SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.101:5060;branch=z9hG4bK-524287-1---3a1f0b6c5d4e2f10;rport',
  'Max-Forwards: 70',
  'Contact: <sip:alice@192.0.2.101:5060;transport=udp;ob>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"',
  'To: <sip:912065550100@acme.example>',
  'From: "Alice Example" <sip:alice@acme.example>;tag=a48s9f8d7g',
  'Call-ID: 3848276298220188511@192.0.2.101',
  'CSeq: 1 INVITE',
  'Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE, UPDATE, PRACK',
  'Supported: replaces, norefersub, extended-refer, timer, outbound, path, 100rel',
  'Session-Expires: 1800;refresher=uac',
  'Min-SE: 90',
  'Allow-Events: presence, message-summary, refer',
  'User-Agent: Example-Desk-Phone/5.9.4 (MAC 00-0a-95-a0-e1-28)',
  'P-Preferred-Identity: "Alice Example" <sip:alice@acme.example>',
  'Content-Type: application/sdp',
  `Content-Length: ${SDP.length}`,
].join('\r\n')

const room = 1433 - HEAD.length - SDP.length - '\r\nX-Pad: \r\n\r\n'.length
const INVITE = Buffer.from(`${HEAD}\r\nX-Pad: ${'x'.repeat(Math.max(room, 0))}\r\n\r\n${SDP}`)

function parse(): SipRequest {
  const outcome = parseDatagram(INVITE)
  assert(outcome.kind === 'message' && outcome.message.kind === 'request')
  return outcome.message
}

/** What an edge reads of an INVITE before it asks the router. */
function readCall(message: SipRequest): number {
  const via = topVia(message)
  const caller = from(message)
  const called = to(message)
  const sequence = cseq(message)
  const contact = contacts(message)
  const uri = requestUri(message)
  assert(via && caller && called && sequence && contact !== '*' && uri)
  return (
    (via.params.get('branch')?.length ?? 0) +
    (caller.params.get('tag')?.length ?? 0) +
    (caller.uri.user?.length ?? 0) +
    (called.uri.user?.length ?? 0) +
    (called.params.has('tag') ? 1 : 0) +
    sequence.sequence +
    contact.length +
    (uri.user?.length ?? 0) +
    callId(message).length +
    (maxForwards(message) ?? 0) +
    (contentType(message)?.type.length ?? 0) +
    tokens(message, 'Supported').length
  )
}

function buildLegB(message: SipRequest): Buffer {
  const request = makeRequest({
    method: 'INVITE',
    uri: 'sip:12065550100@198.51.100.7:5060',
    via: 'SIP/2.0/UDP 203.0.113.1:5070;branch=z9hG4bK1a2b3c4d5e6f7a8b;rport',
    from: '<sip:+14255551001@203.0.113.1>;tag=7f3a9c',
    to: '<sip:12065550100@198.51.100.7>',
    callId: 'e1b7a8c0-4f2d-4c6a-9d3e-2f1a0b9c8d7e',
    cseq: 1,
    maxForwards: 69,
    contact: '<sip:leg-42@203.0.113.1:5070>',
    headers: LEG_B,
    body: message.body,
    contentType: 'application/sdp',
  })
  return writeMessage(request)
}

const LEG_B: readonly (readonly [string, string])[] = [
  ['Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER'],
  ['Supported', 'timer, replaces, 100rel'],
  ['Session-Expires', '1800'],
  ['Min-SE', '90'],
  ['P-Asserted-Identity', '"Alice Example" <sip:+14255551001@acme.example>'],
  ['User-Agent', 'Tandem'],
]

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: 'µs'
}

/** CPU time, the best of twelve rounds each: what the code costs, not what the machine was doing beside it. */
export function measure(iterations = 10_000): Figure[] {
  assert.equal(INVITE.length, 1433)
  const message = parse()
  const uri = parseUri(message.uri)
  assert(uri && readCall(message) > 0)
  const cases: [string, () => unknown][] = [
    ['parse', parse],
    ['parse and read what a call needs', () => readCall(parse())],
    ['write', () => writeMessage(message)],
    ['make and write the INVITE of the other leg', () => buildLegB(message)],
    ['make and write a 180', () => writeMessage(makeResponse(message, 180, { toTag: 'b7a3', contact: '<sip:b@h>' }))],
    ['parse and mark rport', () => withReceived(parse(), '198.51.100.9', 40000)],
    ['URI there and back', () => writeUri(parseUri(message.uri) ?? uri)],
  ]
  // In turns, so that a busy moment of the machine does not fall on one case alone.
  const best = cases.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < 12; round++) {
    cases.forEach(([, run], i) => {
      const start = process.cpuUsage()
      for (let n = 0; n < iterations; n++) run()
      const spent = process.cpuUsage(start)
      best[i] = Math.min(best[i] as number, (spent.user + spent.system) / iterations)
    })
  }
  return cases.map(([name], i) => ({
    name: `sip message: ${name}`,
    value: Math.round((best[i] as number) * 100) / 100,
    unit: 'µs',
  }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const figure of measure()) {
    if (process.argv.includes('--json')) console.log(JSON.stringify({ ...figure, peer: null, ratio: null }))
    else console.log(`${figure.value.toFixed(2).padStart(8)} ${figure.unit}  ${figure.name}`)
  }
}
