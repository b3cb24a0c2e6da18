import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import transform from 'sdp-transform'
import { codecsOf, cryptoOf, ptimeOf } from '../src/attributes.ts'
import { maxSdpLength, parseSdp, type Sdp, writeSdp } from '../src/parse.ts'
import { phoneOffer } from './samples.ts'

function read(text: string): Sdp {
  const parsed = parseSdp(text)
  assert.equal(parsed.kind, 'sdp', JSON.stringify(parsed))
  return (parsed as { sdp: Sdp }).sdp
}

test('an offer is read with its origin, addresses, ports, direction, codecs, ptime and keys', () => {
  const sdp = read(phoneOffer)
  assert.deepEqual(sdp.origin, {
    user: 'alice',
    sessionId: '3724394400',
    version: '3724394405',
    type: 'IP4',
    address: '10.1.2.3',
  })
  const audio = sdp.media[0]
  assert.ok(audio)
  assert.equal(audio.port, 49170)
  assert.deepEqual(audio.connection, { type: 'IP4', address: '10.1.2.3' })
  assert.equal(audio.rtcpPort, 49180)
  assert.equal(audio.direction, 'sendrecv')
  assert.equal(ptimeOf(sdp, audio), 20)
  assert.deepEqual(
    codecsOf(sdp, audio).map((codec) => `${codec.payloadType} ${codec.name}/${codec.clock}/${codec.channels}`),
    ['0 PCMU/8000/1', '8 PCMA/8000/1', '97 opus/48000/2', '101 telephone-event/8000/1'],
  )
  assert.equal(codecsOf(sdp, audio)[2]?.fmtp, 'useinbandfec=1')
  assert.equal(cryptoOf(sdp, audio)[0]?.suite, 'AES_CM_128_HMAC_SHA1_80')
})

test('sdp-transform reads the same media, ports, formats and directions', () => {
  const sdp = read(phoneOffer)
  const oracle = transform.parse(phoneOffer)
  assert.deepEqual(
    sdp.media.map((m) => [m.kind, m.port, m.protocol, m.formats.join(' '), m.direction]),
    oracle.media.map((m) => [m.type, m.port, m.protocol, m.payloads, m.direction]),
  )
})

test('RFC 8866 5: lines that end in LF alone are taken, and written with CRLF', () => {
  assert.equal(writeSdp(read(phoneOffer.replaceAll('\r\n', '\n'))), phoneOffer)
})

test('an untouched description is written back byte by byte', () => {
  assert.equal(writeSdp(read(phoneOffer)), phoneOffer)
})

test('a media section without its own values takes those of the session', () => {
  const sdp = read('v=0\no=- 1 1 IN IP6 ::1\ns=-\nc=IN IP6 2001:db8::1\nt=0 0\na=recvonly\nm=audio 4/2 RTP/AVP 9\n')
  assert.equal(sdp.media[0]?.direction, 'recvonly')
  assert.equal(sdp.media[0]?.connection?.address, '2001:db8::1')
  assert.equal(sdp.media[0]?.port, 4)
  assert.equal(sdp.media[0]?.rtcpPort, 5)
  assert.equal(codecsOf(sdp, sdp.media[0] as never)[0]?.name, 'G722')
})

test('with rtcp-mux RTCP goes to the RTP port', () => {
  const sdp = read('v=0\no=- 1 1 IN IP4 h\ns=-\nc=IN IP4 h\nt=0 0\nm=audio 40 RTP/AVP 0\na=rtcp-mux\n')
  assert.equal(sdp.media[0]?.rtcpPort, 40)
})

const refused: [string, string][] = [
  ['an empty body', ''],
  ['no v=0', 'o=- 1 1 IN IP4 h\r\n'],
  ['no o=', 'v=0\r\ns=-\r\n'],
  ['an unknown type letter', 'v=0\r\no=- 1 1 IN IP4 h\r\nq=1\r\n'],
  ['a line without =', 'v=0\r\no=- 1 1 IN IP4 h\r\nsomething\r\n'],
  ['a port of 65536', 'v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 h\r\nm=audio 65536 RTP/AVP 0\r\n'],
  ['a media section without any c=', 'v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 4 RTP/AVP 0\r\n'],
  ['a lone CR that hides a line', 'v=0\r\no=- 1 1 IN IP4 h\r\ns=x\ra=candidate:1\r\n'],
  ['a NUL', 'v=0\r\no=- 1 1 IN IP4 h\r\ns=\0\r\n'],
  ['more than 64 KiB', `v=0\r\no=- 1 1 IN IP4 h\r\ns=${'x'.repeat(maxSdpLength)}\r\n`],
  ['too many media', `v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 h\r\n${'m=audio 4 RTP/AVP 0\r\n'.repeat(33)}`],
]
for (const [what, text] of refused) {
  test(`${what} is refused with a reason`, () => assert.equal(parseSdp(text).kind, 'invalid'))
}

test('no text makes the reader throw', () => {
  const line = fc.oneof(
    fc.constantFrom(...phoneOffer.split('\r\n'), 'm=audio', 'c=IN', 'o=', 'a=rtcp:x', 'm=audio 0 RTP/AVP 0', '\r', ''),
    fc.string({ unit: 'binary', maxLength: 30 }),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), fc.constantFrom('\r\n', '\n', '\r'), (lines, end) => {
      const parsed = parseSdp(['v=0', ...lines].join(end))
      if (parsed.kind === 'sdp') for (const media of parsed.sdp.media) codecsOf(parsed.sdp, media)
      assert.ok(parsed.kind === 'sdp' || parsed.reason.length > 0)
    }),
    { numRuns: 1000 },
  )
})
