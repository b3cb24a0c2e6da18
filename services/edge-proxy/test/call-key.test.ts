import assert from 'node:assert/strict'
import { createSecretKey, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { callKeys, readCallKey } from '../src/domain/call-key.ts'

const secretOf = (text: string): KeyObject => createSecretKey(text, 'utf8')

test('both legs of a call are written with one key, which every edge of the cluster reads', () => {
  const secret = secretOf('of the cluster')
  const keyOf = callKeys(() => secret)
  for (let i = 0; i < 1000; i++) {
    const key = keyOf(`call-${i}`)
    assert.equal(keyOf(`call-${i}`), key)
    assert.equal(readCallKey(key, secretOf('of the cluster')), `call-${i}`)
  }
})

test('a new secret of the cluster makes new keys, also of calls that have one', () => {
  let secret = secretOf('before')
  const keyOf = callKeys(() => secret)
  const before = keyOf('call')
  secret = secretOf('after')
  assert.notEqual(keyOf('call'), before)
  assert.equal(readCallKey(keyOf('call'), secret), 'call')
  assert.equal(readCallKey(before, secret), undefined)
})
