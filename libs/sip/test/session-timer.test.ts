import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  agreedAsUac,
  answerAsUas,
  DEFAULT_SESSION_TIMER,
  expireAfterMs,
  minSeAfter422,
  readMinSe,
  readSessionExpires,
  refreshAfterMs,
  sessionTimerRequestFields,
} from '../src/dialog/session-timer.ts'
import { makeRequest, makeResponse } from '../src/message/make.ts'

const invite = (headers: Record<string, string> = {}) =>
  makeRequest({
    method: 'INVITE',
    uri: 'sip:bob@example.com',
    from: '<sip:alice@example.com>;tag=a1',
    to: '<sip:bob@example.com>',
    callId: 'call-1',
    cseq: 1,
    headers: Object.entries(headers),
  })
const response = (status: number, headers: Record<string, string> = {}) =>
  makeResponse(invite(), status, { headers: Object.entries(headers) })

test('RFC 4028 4 Session-Expires is read with its refresher, in the compact form too', () => {
  assert.deepEqual(readSessionExpires(invite({ 'Session-Expires': '1800 ; Refresher=UAS' })), {
    interval: 1800,
    refresher: 'uas',
  })
  assert.deepEqual(readSessionExpires(invite({ x: '90' })), { interval: 90, refresher: undefined })
  assert.equal(readSessionExpires(invite({ x: 'soon' })), undefined)
})

test('RFC 4028 5 Min-SE is 90 when absent and never less', () => {
  assert.deepEqual(
    [{}, { 'Min-SE': '10' }, { 'Min-SE': '300' }].map((h) => readMinSe(invite(h))),
    [90, 90, 300],
  )
})

test('RFC 4028 7.1 our first INVITE asks for the wanted interval and leaves the refresher open', () => {
  assert.deepEqual(sessionTimerRequestFields(DEFAULT_SESSION_TIMER, undefined), [['Session-Expires', '1800']])
  assert.deepEqual(sessionTimerRequestFields({ ...DEFAULT_SESSION_TIMER, interval: 0 }, undefined), [])
})

test('RFC 4028 7.4 after a 422 the INVITE carries Min-SE, and Session-Expires is not below it', () => {
  const minSe = minSeAfter422(response(422, { 'Min-SE': '3600' }))
  assert.equal(minSe, 3600)
  assert.deepEqual(sessionTimerRequestFields(DEFAULT_SESSION_TIMER, undefined, minSe), [
    ['Session-Expires', '3600'],
    ['Min-SE', '3600'],
  ])
})

test('RFC 4028 7.3 a 422 that asks for no more than we offered is not retried', () => {
  assert.equal(minSeAfter422(response(422, { 'Min-SE': '300' }), 300), undefined)
  assert.equal(minSeAfter422(response(422)), undefined)
  assert.equal(minSeAfter422(response(486, { 'Min-SE': '300' })), undefined)
})

test('RFC 4028 7.4 a refresh keeps the interval and the roles', () => {
  const fields = (refresher: 'us' | 'peer') =>
    sessionTimerRequestFields(DEFAULT_SESSION_TIMER, { interval: 600, refresher })
  assert.deepEqual(fields('us'), [['Session-Expires', '600;refresher=uac']])
  assert.deepEqual(fields('peer'), [['Session-Expires', '600;refresher=uas']])
})

test('RFC 4028 7.2 the 2xx says who refreshes and how often', () => {
  const agreed = (value: string) => agreedAsUac(invite({ x: '1800' }), response(200, { x: value }))
  assert.deepEqual(agreed('900;refresher=uas'), { interval: 900, refresher: 'peer' })
  assert.deepEqual(agreed('900;refresher=uac'), { interval: 900, refresher: 'us' })
})

test('RFC 4028 7.2 a UAS that knows no timers leaves the refreshing to us; nobody asked means no timer', () => {
  assert.deepEqual(agreedAsUac(invite({ x: '1800' }), response(200)), { interval: 1800, refresher: 'us' })
  assert.equal(agreedAsUac(invite(), response(200)), undefined)
})

// RFC 4028 9, table 2: [Supported: timer?, refresher in the request, our choice, refresher in the response]
for (const [supported, asked, choice, expected] of [
  [false, '', 'us', 'uas'],
  [false, '', 'peer', 'uas'],
  [true, '', 'us', 'uas'],
  [true, '', 'peer', 'uac'],
  [true, ';refresher=uac', 'us', 'uac'],
  [true, ';refresher=uas', 'peer', 'uas'],
] as const) {
  test(`RFC 4028 9 table 2: support ${supported}, asked "${asked}", our wish ${choice}: ${expected} refreshes`, () => {
    const headers = { x: `1800${asked}`, ...(supported ? { k: '100rel, timer' } : {}) }
    const verdict = answerAsUas(invite(headers), { ...DEFAULT_SESSION_TIMER, refresher: choice })
    assert.equal(verdict.kind, 'accept')
    assert.deepEqual(verdict.fields, [
      ['Session-Expires', `1800;refresher=${expected}`],
      ...(supported ? [['Require', 'timer']] : []),
    ])
    assert.deepEqual(verdict.kind === 'accept' && verdict.timer, {
      interval: 1800,
      refresher: expected === 'uas' ? 'us' : 'peer',
    })
  })
}

test('RFC 4028 9 an interval below our minimum gets 422 with Min-SE when the UAC knows timers', () => {
  const policy = { ...DEFAULT_SESSION_TIMER, minSe: 300 }
  const verdict = answerAsUas(invite({ x: '200', k: 'timer' }), policy)
  assert.deepEqual(verdict, { kind: 'too-small', status: 422, fields: [['Min-SE', '300']] })
  assert.equal(answerAsUas(invite({ x: '200' }), policy).kind, 'accept')
})

test('RFC 4028 9 the UAS reduces an interval down to Min-SE and never increases it', () => {
  const answer = (headers: Record<string, string>, interval: number) => {
    const verdict = answerAsUas(invite({ k: 'timer', ...headers }), { ...DEFAULT_SESSION_TIMER, interval })
    return verdict.kind === 'accept' ? verdict.timer?.interval : undefined
  }
  assert.equal(answer({ x: '3600' }, 1800), 1800)
  assert.equal(answer({ x: '3600', 'Min-SE': '2000' }, 1800), 2000)
  assert.equal(answer({ x: '600' }, 1800), 600)
  assert.equal(answer({ 'Min-SE': '2000' }, 1800), 2000)
  assert.equal(answer({}, 0), undefined)
  assert.equal(answer({ x: '600' }, 0), 600)
})

test('RFC 4028 7.2 and 10 refresh at half the interval; give up 32 s or a third before the end', () => {
  assert.equal(refreshAfterMs({ interval: 1800, refresher: 'us' }), 900_000)
  assert.equal(refreshAfterMs({ interval: 1800, refresher: 'peer' }), undefined)
  assert.equal(expireAfterMs({ interval: 1800, refresher: 'us' }), 1_800_000)
  assert.equal(expireAfterMs({ interval: 1800, refresher: 'peer' }), 1_768_000)
  assert.equal(expireAfterMs({ interval: 90, refresher: 'peer' }), 60_000)
})
