import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CodecPolicy, withCodecs } from '../src/codec-policy.ts'
import { parseSdp, type Sdp, writeSdp } from '../src/parse.ts'

const OFFER = [
  'v=0',
  'o=- 1 1 IN IP4 192.0.2.1',
  's=-',
  'c=IN IP4 192.0.2.1',
  't=0 0',
  'm=audio 4000 RTP/AVP 96 9 8 0 18 101 13',
  'a=rtpmap:96 opus/48000/2',
  'a=fmtp:96 useinbandfec=1',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'a=fmtp:18 annexb=no',
  'a=ptime:20',
  'm=video 4002 RTP/AVP 97',
  'a=rtpmap:97 H264/90000',
  '',
].join('\r\n')

function sdp(): Sdp {
  const parsed = parseSdp(OFFER)
  if (parsed.kind !== 'sdp') throw new Error(parsed.reason)
  return parsed.sdp
}
const policy = (more: Partial<CodecPolicy>): CodecPolicy => ({ allow: null, strip: [], order: [], ...more })
const formats = (...policies: CodecPolicy[]) => withCodecs(sdp(), policies)?.media[0]?.formats.join(' ')

test('without a policy an offer stays as it is, byte by byte', () => {
  assert.equal(writeSdp(withCodecs(sdp(), []) as Sdp), OFFER)
  assert.equal(writeSdp(withCodecs(sdp(), [policy({})]) as Sdp), OFFER)
})

test('only allowed codecs are left, and DTMF and comfort noise beside them; their lines go with the others', () => {
  const left = withCodecs(sdp(), [policy({ allow: ['pcma', 'PCMU'] })]) as Sdp
  assert.equal(left.media[0]?.formats.join(' '), '8 0 101 13')
  assert.doesNotMatch(writeSdp(left), /opus|annexb|useinbandfec/)
  assert.match(writeSdp(left), /a=fmtp:101 0-16\r\na=ptime:20\r\nm=video 4002 RTP\/AVP 97\r\na=rtpmap:97/)
})

test('stripped codecs are gone, DTMF too when it is named', () => {
  assert.equal(formats(policy({ strip: ['opus', 'G729', 'telephone-event'] })), '9 8 0 13')
})

test('the order is the one that is asked for, the others follow as they were', () => {
  assert.equal(formats(policy({ order: ['PCMU', 'G722'] })), '0 9 96 8 18 101 13')
})

test('two policies are obeyed both', () => {
  assert.equal(formats(policy({ strip: ['opus'] }), policy({ allow: ['PCMA', 'opus'], order: ['opus'] })), '8 101 13')
})

test('when no voice codec is left there is no offer', () => {
  assert.equal(formats(policy({ allow: ['AMR'] })), undefined)
})
