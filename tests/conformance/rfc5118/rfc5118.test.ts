/**
 * RFC 5118, each of its 12 messages by its id: what the parser reads, and what a running edge answers over UDP and TCP,
 * on IPv4 and, where the machine has it, on IPv6.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { parseSdp } from '@tandem/sdp/parse.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { parseDatagram, parseStream } from '@tandem/sip/message/parse.ts'
import { contacts, topVia, vias } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { type RunningEdge, startRunningEdge, type Transport } from '../running-edge.ts'

const octets = (id: string): Buffer => readFileSync(new URL(`${id}.dat`, import.meta.url))

function request(id: string): SipRequest {
  for (const parse of [parseStream, parseDatagram]) {
    const outcome = parse(octets(id))
    assert(outcome.kind === 'message' && outcome.message.kind === 'request', `${id}: ${outcome.kind}`)
  }
  const outcome = parseDatagram(octets(id))
  assert(outcome.kind === 'message' && outcome.message.kind === 'request')
  const again = parseDatagram(writeMessage(outcome.message))
  assert(again.kind === 'message' && again.message.kind === 'request')
  assert.deepEqual([...again.message.headers.entries()], [...outcome.message.headers.entries()])
  return outcome.message
}

function contactHost(message: SipRequest): string | undefined {
  const found = contacts(message)
  return found === '*' ? undefined : found[0]?.uri.host
}

function description(message: SipRequest) {
  const parsed = parseSdp(Buffer.from(message.body).toString())
  assert(parsed.kind === 'sdp')
  return parsed.sdp
}

test('RFC 5118 4.1 ipv6-good: an IPv6 reference in Request-URI, Via and Contact', () => {
  const register = request('ipv6-good')
  assert.equal(parseUri(register.uri)?.host, '[2001:db8::10]')
  assert.equal(topVia(register)?.host, '[2001:db8::9:1]')
  assert.equal(contactHost(register), '[2001:db8::1]')
})

test('RFC 5118 4.2 ipv6-bad: an IPv6 address without its brackets gets 400', () => {
  for (const parse of [parseDatagram, parseStream]) {
    const outcome = parse(octets('ipv6-bad'))
    assert(outcome.kind === 'refuse')
    assert.equal(outcome.status, 400)
  }
})

test('RFC 5118 4.3 port-ambiguous: a port inside the brackets is a part of the address', () => {
  const uri = parseUri(request('port-ambiguous').uri)
  assert.deepEqual([uri?.host, uri?.port], ['[2001:db8::10:5070]', undefined])
})

test('RFC 5118 4.4 port-unambiguous: a port after the brackets is a port', () => {
  const uri = parseUri(request('port-unambiguous').uri)
  assert.deepEqual([uri?.host, uri?.port], ['[2001:db8::10]', 5070])
})

test('RFC 5118 4.5 via-received-param-with-delim, via-received-param-no-delim: received is read with and without brackets', () => {
  assert.equal(topVia(request('via-received-param-with-delim'))?.params.get('received'), '[2001:db8::9:255]')
  assert.equal(topVia(request('via-received-param-no-delim'))?.params.get('received'), '2001:db8::9:255')
})

test('RFC 5118 4.6 ipv6-in-sdp: addresses of a description have no brackets', () => {
  const sdp = description(request('ipv6-in-sdp'))
  assert.equal(sdp.connection?.address, '2001:db8::20')
  assert.equal(sdp.media.length, 2)
})

test('RFC 5118 4.7 mult-ip-in-header: IPv4 and IPv6 side by side in Via', () => {
  assert.deepEqual(
    vias(request('mult-ip-in-header')).map((via) => [via.host, via.port]),
    [
      ['[2001:db8::9:1]', 6050],
      ['192.0.2.1', undefined],
      ['[2001:db8::9:255]', undefined],
    ],
  )
})

test('RFC 5118 4.8 mult-ip-in-sdp: each stream has an address of its own, of its own kind', () => {
  assert.deepEqual(
    description(request('mult-ip-in-sdp')).media.map((m) => m.connection?.address),
    ['192.0.2.1', '2001:db8::1'],
  )
})

test('RFC 5118 4.9 ipv4-mapped-ipv6: an IPv4 address mapped into IPv6, with a port', () => {
  const invite = request('ipv4-mapped-ipv6')
  assert.deepEqual([topVia(invite)?.host, topVia(invite)?.port], ['[::ffff:192.0.2.10]', 19823])
  assert.equal(contactHost(invite), '[::ffff:192.0.2.2]')
  assert.equal(description(invite).connection?.address, '::ffff:192.0.2.2')
})

test('RFC 5118 4.10 ipv6-bug-abnf-3-colons, ipv6-correct-abnf-2-colons: the extra colon of RFC 3261 is borne', () => {
  assert.equal(parseUri(request('ipv6-bug-abnf-3-colons').uri)?.host, '[2001:db8:::192.0.2.1]')
  assert.equal(parseUri(request('ipv6-correct-abnf-2-colons').uri)?.host, '[2001:db8::192.0.2.1]')
})

const CASES: readonly { section: string; id: string; expected: number | 'call'; as?: string }[] = [
  { section: '4.1', id: 'ipv6-good', expected: 200, as: 'user' },
  { section: '4.2', id: 'ipv6-bad', expected: 400 },
  { section: '4.3', id: 'port-ambiguous', expected: 200, as: 'user' },
  { section: '4.4', id: 'port-unambiguous', expected: 200, as: 'user' },
  // inside dialogs that are none of ours
  { section: '4.5', id: 'via-received-param-with-delim', expected: 481 },
  { section: '4.5', id: 'via-received-param-no-delim', expected: 200 },
  { section: '4.6', id: 'ipv6-in-sdp', expected: 'call' },
  { section: '4.7', id: 'mult-ip-in-header', expected: 481 },
  { section: '4.8', id: 'mult-ip-in-sdp', expected: 'call' },
  { section: '4.9', id: 'ipv4-mapped-ipv6', expected: 'call' },
  { section: '4.10', id: 'ipv6-bug-abnf-3-colons', expected: 200 },
  { section: '4.10', id: 'ipv6-correct-abnf-2-colons', expected: 200 },
]

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === '::1'))
describe('RFC 5118 on running edges', { concurrency: true }, () => {
  for (const address of ['127.0.0.1', '::1']) for (const transport of ['UDP', 'TCP'] as const) suite(transport, address)
})

function suite(transport: Transport, address: string): void {
  const skip = address === '::1' && !hasIpv6 ? 'this machine has no ::1' : false
  describe(`${transport} on ${address}`, { concurrency: false }, () => {
    let edge: RunningEdge
    before(async () => {
      if (!skip) edge = await startRunningEdge(transport, address, ['user'])
    })
    after(() => edge?.close())
    for (const one of CASES) {
      const what = one.expected === 'call' ? 'becomes a call' : `gets ${one.expected}`
      const name = `RFC 5118 ${one.section} ${one.id} over ${transport} on ${address} ${what}, and the edge lives on`
      test(name, { skip }, () => assertAnswered(edge, one))
    }
  })
}

async function assertAnswered(edge: RunningEdge, { id, expected, as }: (typeof CASES)[number]): Promise<void> {
  const calls = edge.house.itspA.received.length
  const heard = await edge.tell(octets(id), as)
  assert.ok(heard !== 'nothing', 'it was dropped')
  assert.equal(heard.status, expected === 'call' ? 200 : expected)
  assert.equal(edge.house.itspA.received.length, expected === 'call' ? calls + 1 : calls)
  assert.ok(await edge.alive())
}
