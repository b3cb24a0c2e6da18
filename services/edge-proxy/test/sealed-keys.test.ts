/** Keys of media in the record of a held call (domain/sealed-keys.ts): RFC 4568 10.1, a key is shown to nobody else. */
import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { validator } from '@tandem/bus/validate.ts'
import { HeldCall, type HeldLeg } from '@tandem/contracts/held-call.ts'
import fc from 'fast-check'
import { hasKeys, openKeys, sealKeys } from '../src/domain/sealed-keys.ts'

const SECRET = createSecretKey(randomBytes(32))
const PLAIN = 'v=0\r\nm=audio 4000 RTP/AVP 0\r\n'
const KEYED = `${PLAIN}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n`

function held(texts: readonly (readonly [heard: string | undefined, said?: string])[], callId = 'call-1'): HeldCall {
  const legs = texts.map(([heard, said], i) => ({
    ...{ legId: `leg-${i}`, role: i === 0 ? 'caller' : 'callee', party: { kind: 'user', user: 'alice' } },
    ...{ direction: 'in', attempt: 0, seq: 3, identity: {}, behindNat: false, takesUpdate: true, peerMinSe: 90 },
    ...{ startedAt: '2026-11-27T12:00:00.000Z', answeredMs: 100, ageMs: 200 },
    wire: { listener: 'inside', transport: 'TLS', address: '192.0.2.1', port: 5061 },
    dialog: {
      ...{ role: 'uas', state: 'confirmed', callId: 'a', localTag: 'b', remoteTag: 'c', localParty: '<sip:a@b>' },
      ...{ remoteParty: '<sip:c@d>', remoteTarget: 'sip:c@d', routeSet: [], localSequence: 1, remoteSequence: 2 },
      secure: true,
    },
    ...(heard === undefined ? {} : { heard }),
    ...(said === undefined ? {} : { said }),
  })) as unknown as HeldLeg[]
  return {
    ...{ version: 1, callId, takeovers: 0, at: '2026-11-27T12:00:00.000Z', from: '1001', dialled: '1002' },
    ...{ emergency: false, legs },
  }
}

test('what an edge seals another one with the same secret opens, and the record keeps its shape', () => {
  const call = held([
    [KEYED, PLAIN],
    [undefined, KEYED],
  ])
  const sealed = sealKeys(call, SECRET)
  assert.ok(hasKeys(call))
  assert.ok(!hasKeys(sealed))
  assert.doesNotMatch(JSON.stringify(sealed), /inline/)
  assert.equal(sealed.legs[0]?.said, PLAIN, 'what holds no key can be read by whoever looks for a fault')
  assert.deepEqual(validator(HeldCall)(sealed), { ok: true, value: sealed })
  assert.deepEqual(openKeys(sealed, SECRET), call)
})

test('the longest description that a message can hold still fits its record when it is sealed', () => {
  const sealed = sealKeys(held([[KEYED.padEnd(65_535, 'x')], [PLAIN]]), SECRET)
  assert.ok(validator(HeldCall)(sealed).ok)
})

test('keys of every kind are sealed: SDES, ICE, MIKEY and the old k= line', () => {
  for (const line of [
    'a=crypto:1 X inline:Y',
    'a=ice-pwd:asd88fgpdd777uzjYhagZg',
    'a=key-mgmt:mikey AQA',
    'k=clear:secret',
  ])
    assert.ok(!hasKeys(sealKeys(held([[`${PLAIN}${line}\r\n`], [PLAIN]]), SECRET)), line)
})

test('without a secret in common nothing is sealed', () => {
  const call = held([[KEYED], [KEYED]])
  assert.deepEqual(sealKeys(call, undefined), call)
})

test('what cannot be opened is left out: another secret, another call, another leg, a byte changed', () => {
  const sealed = sealKeys(held([[KEYED], [PLAIN]]), SECRET)
  const text = sealed.legs[0]?.heard as string
  const left = (call: HeldCall, secret = SECRET) => openKeys(call, secret).legs[0]?.heard
  assert.equal(left(sealed, createSecretKey(randomBytes(32))), undefined)
  assert.equal(left(held([[text], [PLAIN]], 'call-2')), undefined)
  assert.equal(openKeys(held([[PLAIN], [text]]), SECRET).legs[1]?.heard, undefined)
  fc.assert(
    fc.property(fc.nat({ max: text.length - 1 }), fc.constantFrom(...'Aa9-_:'), (at, other) => {
      const changed = text.slice(0, at) + other + text.slice(at + 1)
      const got = left(held([[changed], [PLAIN]]))
      // a prefix that says nothing of sealing is a description like any other; the last character has bits that do not count
      assert.ok(got === undefined || !changed.startsWith('sealed:1:') || got === KEYED)
    }),
  )
})

test('any text whatever that claims to be sealed throws nothing', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.equal(openKeys(held([[`sealed:1:${text}`], [PLAIN]]), SECRET).legs[0]?.heard, undefined)
    }),
  )
})
