import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import transform from 'sdp-transform'
import { isHeld, isHold, negotiatedCodec } from '../src/offer-answer.ts'
import { parseSdp, type Sdp } from '../src/parse.ts'
import { newLegOrigin, rewriteForRelay } from '../src/rewrite.ts'
import { answer, phoneOffer } from './samples.ts'

function read(text: string): Sdp {
  const parsed = parseSdp(text)
  assert.equal(parsed.kind, 'sdp', JSON.stringify(parsed))
  return (parsed as { sdp: Sdp }).sdp
}

const origin = newLegOrigin('77', '192.0.2.1')
const relay = { address: '192.0.2.1', media: [{ port: 20_000, rtcpPort: 20_001 }], origin }

test('the other side sees our origin, address and ports, and the codecs as offered', () => {
  const { text } = rewriteForRelay(read(phoneOffer), relay)
  assert.equal(
    text,
    [
      'v=0',
      'o=- 77 1 IN IP4 192.0.2.1',
      's=-',
      'c=IN IP4 192.0.2.1',
      't=0 0',
      'm=audio 20000 RTP/AVP 0 8 97 101',
      'b=AS:84',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:8 PCMA/8000',
      'a=rtpmap:97 opus/48000/2',
      'a=fmtp:97 useinbandfec=1',
      'a=rtpmap:101 telephone-event/8000',
      'a=fmtp:101 0-16',
      'a=ptime:20',
      'a=x-kept:yes',
      'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4',
      'a=sendrecv',
      '',
    ].join('\r\n'),
  )
})

test('nothing that is written tells where the other side is', () => {
  const { text } = rewriteForRelay(read(phoneOffer), relay)
  for (const secret of ['10.1.2.3', 'alice', 'inside.example', 'fe80', 'candidate', 'ice-']) {
    assert.ok(!text.includes(secret), secret)
  }
})

test('RTCP on another port than the next is said, and only then', () => {
  const { text } = rewriteForRelay(read(phoneOffer), { ...relay, media: [{ port: 20_000, rtcpPort: 20_500 }] })
  assert.match(text, /\r\na=rtcp:20500\r\n$/)
})

test('RFC 3264 8: the same description keeps its version, a changed one has the next', () => {
  const first = rewriteForRelay(read(phoneOffer), relay)
  const again = rewriteForRelay(read(phoneOffer), { ...relay, origin: first.origin })
  assert.equal(again.text, first.text)
  const held = rewriteForRelay(read(phoneOffer.replace('a=sendrecv', 'a=sendonly')), { ...relay, origin: again.origin })
  assert.match(held.text, /^v=0\r\no=- 77 2 IN IP4 192\.0\.2\.1\r\n/)
})

test('the origin stays what it was when the media moves to another address', () => {
  const first = rewriteForRelay(read(phoneOffer), relay)
  const moved = rewriteForRelay(read(phoneOffer), { ...relay, address: '2001:db8::9', origin: first.origin })
  assert.match(moved.text, /o=- 77 2 IN IP4 192\.0\.2\.1\r\ns=-\r\nc=IN IP6 2001:db8::9\r\n/)
})

test('a stream that the relay does not carry is refused and keeps its place', () => {
  const two = `${phoneOffer}m=video 4000 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n`
  const { text } = rewriteForRelay(read(two), relay)
  assert.match(text, /\r\nm=video 0 RTP\/AVP 31\r\n$/)
  assert.equal(transform.parse(text).media.length, 2)
})

test('keys are replaced when the relay ends SRTP', () => {
  const media = [
    { port: 20_000, rtcpPort: 20_001, protocol: 'RTP/SAVP', crypto: ['1 AES_CM_128_HMAC_SHA1_80 inline:ours'] },
  ]
  const { text } = rewriteForRelay(read(phoneOffer), { ...relay, media })
  assert.ok(!text.includes('d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj'))
  assert.match(text, /m=audio 20000 RTP\/SAVP /)
  assert.match(text, /a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:ours\r\n/)
})

test('hold is seen in each of its forms', () => {
  for (const direction of ['sendonly', 'inactive']) {
    assert.ok(isHeld(read(phoneOffer.replace('a=sendrecv', `a=${direction}`))), direction)
  }
  assert.ok(isHeld(read(phoneOffer.replaceAll('IN IP4 10.1.2.3', 'IN IP4 0.0.0.0'))), 'RFC 2543')
  assert.ok(!isHeld(read(phoneOffer)))
  assert.ok(!isHeld(read(phoneOffer.replace('a=sendrecv', 'a=recvonly'))), 'recvonly is the answer to a hold')
})

test('RFC 3264 8.4: c=0.0.0.0 reaches the other side as it is', () => {
  const held = read(phoneOffer.replaceAll('c=IN IP4 10.1.2.3', 'c=IN IP4 0.0.0.0'))
  const seen = read(rewriteForRelay(held, relay).text)
  assert.ok(seen.media[0] && isHold(seen.media[0]))
  assert.equal(seen.connection?.address, '192.0.2.1')
})

test('the negotiated codec is the first of the answer that carries sound', () => {
  assert.equal(negotiatedCodec(read(answer))?.name, 'PCMA')
  assert.equal(negotiatedCodec(read(answer.replace('m=audio 54400', 'm=audio 0'))), undefined)
})

test('whatever is read can be rewritten, is read again, and tells none of the addresses', () => {
  const line = fc.constantFrom(
    ...phoneOffer.split('\r\n').slice(2, -1),
    'm=video 4000 RTP/AVP 31',
    'm=audio 0 RTP/AVP 0',
    'a=source-filter: incl IN IP4 * 10.1.2.3',
    'a=remote-candidates:1 10.1.2.3 4 2 10.1.2.3 5',
    'a=rtcp-mux',
    'k=clear:10.1.2.3',
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
      const parsed = parseSdp(['v=0', 'o=alice 1 1 IN IP4 10.1.2.3', ...lines].join('\r\n'))
      if (parsed.kind === 'invalid') return
      const { text } = rewriteForRelay(parsed.sdp, relay)
      assert.ok(!text.includes('10.1.2.3') && !text.includes('alice'), text)
      assert.equal(read(text).media.length, parsed.sdp.media.length)
      assert.equal(transform.parse(text).media.length, parsed.sdp.media.length)
    }),
    { numRuns: 1000 },
  )
})
