import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writePidf } from '@tandem/pidf/pidf.ts'
import { createEventState, type PublishQuestion } from '../src/domain/event-state.ts'

const NOW = 1_000_000
const entity = 'sip:alice@acme.example'
const body = writePidf({
  entity,
  tuples: [{ id: 't', basic: 'open' }],
  persons: [{ id: 'p', activities: ['meeting'] }],
})

function compositor() {
  let n = 0
  return createEventState(() => `tag${++n}`)
}
const question = (more: Partial<PublishQuestion> = {}): PublishQuestion => ({
  ...{
    publisher: 'alice',
    user: 'alice',
    entity,
    event: 'presence',
    expires: 60,
    contentType: 'application/pidf+xml',
    body,
  },
  ...more,
})
function without(q: PublishQuestion, ...keys: (keyof PublishQuestion)[]): PublishQuestion {
  return Object.fromEntries(
    Object.entries(q).filter(([k]) => !keys.includes(k as keyof PublishQuestion)),
  ) as unknown as PublishQuestion
}
const refresh = (etag: string | undefined, expires = 60) =>
  without({ ...question({ expires }), ...(etag === undefined ? {} : { ifMatch: etag }) }, 'body', 'contentType')

test('RFC 3903 4: initial, refresh, modify and remove, a new tag each time', () => {
  const events = compositor()
  const first = events.publish(question(), NOW)
  assert.equal(first.status, 200)
  assert.deepEqual(first.publication?.activities, ['meeting'])
  const second = events.publish(refresh(first.etag), NOW + 1000)
  assert.equal(second.status, 200)
  assert.notEqual(second.etag, first.etag)
  assert.equal(second.publication?.expires, NOW + 61_000)
  assert.deepEqual(second.publication?.activities, ['meeting'])
  const third = events.publish(question({ ifMatch: second.etag as string }), NOW + 2000)
  assert.equal(third.publication?.instance, first.publication?.instance)
  assert.ok((third.publication?.seq ?? 0) > (second.publication?.seq ?? 0))
  const last = events.publish(refresh(third.etag, 0), NOW + 3000)
  assert.equal(last.status, 200)
  assert.equal(last.publication?.ended, true)
  assert.equal(events.size(), 0)
})

test('RFC 3903 6: a stale, foreign or lapsed tag is answered 412', () => {
  const events = compositor()
  const { etag } = events.publish(question(), NOW)
  events.publish(refresh(etag), NOW)
  assert.equal(events.publish(refresh(etag), NOW).status, 412)
  assert.equal(events.publish(refresh('nonsense'), NOW).status, 412)
  const other = events.publish(question(), NOW)
  assert.equal(events.publish({ ...refresh(other.etag), publisher: 'bob', user: 'bob' }, NOW).status, 412)
  assert.equal(events.publish(refresh(other.etag), NOW + 60_000).status, 412)
})

test('what cannot be taken is refused in the right status', () => {
  const events = compositor()
  const statuses = [
    events.publish(question({ event: 'dialog' }), NOW),
    events.publish(without(question(), 'user'), NOW),
    events.publish(question({ publisher: 'bob' }), NOW),
    events.publish(question({ contentType: 'text/plain' }), NOW),
    events.publish(without(question(), 'body', 'contentType'), NOW),
    events.publish(question({ body: '<presence/>' }), NOW),
    events.publish(question({ body: body.replace('alice@', 'bob@') }), NOW),
    events.publish(question({ body: body.replace('?>', '?><!DOCTYPE presence SYSTEM "x">') }), NOW),
  ].map((o) => o.status)
  assert.deepEqual(statuses, [489, 404, 403, 415, 400, 400, 400, 400])
})

test('a user may have sixteen publications and no more', () => {
  const events = compositor()
  const statuses = Array.from({ length: 17 }, () => events.publish(question(), NOW).status)
  assert.deepEqual(statuses.slice(-2), [200, 503])
  events.sweep(NOW + 61_000)
  assert.equal(events.publish(question(), NOW + 61_000).status, 200)
})

test('an hour is the longest life', () => {
  assert.equal(compositor().publish(question({ expires: 100_000 }), NOW).expires, 3600)
})
