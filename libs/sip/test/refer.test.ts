import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { makeRequest } from '../src/message/make.ts'
import { parseReplaces, readRefer, replacesOf, writeReplaces } from '../src/message/refer.ts'
import { parseUri } from '../src/message/uri.ts'

const request = (method: string, headers: [string, string][]) =>
  makeRequest({
    method,
    uri: 'sip:tandem@192.0.2.1',
    from: '<sip:alice@acme.example>;tag=a',
    to: '<sip:bob@acme.example>;tag=b',
    callId: 'one',
    cseq: 2,
    headers,
  })

test('RFC 5589 7.1: a REFER to another phone', () => {
  const read = readRefer(request('REFER', [['Refer-To', '"Carol" <sip:carol@acme.example;user=phone>']]))
  assert.equal(read.kind, 'refer')
  if (read.kind !== 'refer') return
  assert.equal(read.reference.uri.user, 'carol')
  assert.equal(read.reference.uriText, 'sip:carol@acme.example;user=phone')
  assert.equal(read.reference.replaces, undefined)
  assert.equal(read.reference.subscribe, true)
})

test('RFC 5589 7.2: the Replaces in a Refer-To is a header of the URI, escaped', () => {
  const read = readRefer(
    request('REFER', [
      [
        'r',
        '<sip:carol@acme.example?Require=replaces&Replaces=090459243588173445%3Bto-tag%3D9m2n3wq%3Bfrom-tag%3D763231>',
      ],
      ['Refer-Sub', 'false'],
    ]),
  )
  assert.ok(read.kind === 'refer')
  assert.deepEqual(read.reference.replaces, {
    callId: '090459243588173445',
    toTag: '9m2n3wq',
    fromTag: '763231',
    earlyOnly: false,
  })
  assert.equal(read.reference.subscribe, false, 'RFC 4488')
})

test('RFC 3515 2.4.2: none or two Refer-To are a 400', () => {
  for (const headers of [[], [['Refer-To', '<sip:a@b>, <sip:c@d>']], [['Refer-To', '<sip:a@b']]] as [
    string,
    string,
  ][][]) {
    const read = readRefer(request('REFER', headers))
    assert.ok(read.kind === 'refuse' && read.status === 400, JSON.stringify(headers))
  }
  const web = readRefer(request('REFER', [['Refer-To', '<https://example.com>']]))
  assert.ok(web.kind === 'refuse' && web.status === 416)
  const other = readRefer(request('REFER', [['Refer-To', '<sip:a@b;method=SUBSCRIBE>']]))
  assert.ok(other.kind === 'refuse' && other.status === 400)
})

test('RFC 3891 6.1: one to-tag and one from-tag, in any order', () => {
  assert.deepEqual(parseReplaces('98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff'), {
    callId: '98732@sip.example.com',
    toTag: 'ff87ff',
    fromTag: 'r33th4x0r',
    earlyOnly: false,
  })
  assert.equal(parseReplaces('12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only')?.earlyOnly, true)
  assert.equal(parseReplaces('x;to-tag=1'), undefined)
  assert.equal(parseReplaces('x;to-tag=1;to-tag=2;from-tag=3'), undefined)
  const two = request('INVITE', [
    ['Replaces', 'a;to-tag=1;from-tag=2'],
    ['Replaces', 'b;to-tag=1;from-tag=2'],
  ])
  assert.equal(replacesOf(two), 'malformed')
})

test('what is written is read again, and no text makes the reader throw', () => {
  const token = fc.stringMatching(/^[A-Za-z0-9._~!*'@-]{1,40}$/)
  fc.assert(
    fc.property(token, token, token, fc.boolean(), (callId, toTag, fromTag, earlyOnly) => {
      const replaces = { callId, toTag: toTag.replace('@', ''), fromTag: fromTag.replace('@', ''), earlyOnly }
      fc.pre(replaces.toTag !== '' && replaces.fromTag !== '')
      const uri = `sip:bob@acme.example?Replaces=${writeReplaces(replaces)}`
      assert.ok(parseUri(uri))
      const read = readRefer(request('REFER', [['Refer-To', `<${uri}>`]]))
      assert.deepEqual(read.kind === 'refer' && read.reference.replaces, replaces)
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseReplaces(text)
      const uri = parseUri(`sip:a@b?${text}`)
      if (uri) readRefer(request('REFER', [['Refer-To', `<sip:a@b?${text.replaceAll(/[\r\n]/g, '')}>`]]))
    }),
  )
})
