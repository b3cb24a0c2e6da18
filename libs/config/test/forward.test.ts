import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration } from '../src/check.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')

function bobWith(forward: string) {
  const at = acme.indexOf('  bob:')
  const text = `${acme.slice(0, at)}${acme.slice(at).replace('site: hq,', `site: hq, forward: ${forward},`)}`
  return checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
}

function problem(forward: string) {
  const checked = bobWith(forward)
  assert.equal(checked.kind, 'bad', forward)
  return checked.kind === 'bad'
    ? checked.problems.map(({ path, message, instead }) => `${path}: ${message}. ${instead}`)
    : []
}

test('forwarding in both forms; unreachable is as noAnswer when nothing else is said', () => {
  for (const written of [
    '{ noAnswer: alice, after: 15s, busy: "912065550177" }',
    '{ noAnswer: { to: alice, after: 15s }, busy: "912065550177" }',
  ]) {
    const checked = bobWith(written)
    assert.ok(checked.kind === 'ok', JSON.stringify(checked))
    assert.deepEqual(checked.configuration.users.bob?.forward, {
      ...{ always: null, busy: '912065550177', noAnswer: 'alice', unreachable: 'alice', afterMs: 15_000 },
    })
  }
})

test('a target that is nobody, the user itself, a mobile that is not there', () => {
  assert.deepEqual(problem('{ busy: alcie }'), ['users.bob.forward.busy: there is no user alcie. Did you mean alice?'])
  assert.match(problem('{ always: bob }')[0] ?? '', /^users\.bob\.forward\.always: bob forwards calls to bob\./)
  assert.match(problem('{ unreachable: mobile }')[0] ?? '', /bob has no mobile/)
})

test('RFC 6881 ED-67: nobody is forwarded to an emergency number', () => {
  for (const written of [
    '{ always: "911" }',
    '{ busy: "9911" }',
    '{ noAnswer: { to: "112" } }',
    '{ unreachable: "933" }',
  ])
    assert.match(problem(written)[0] ?? '', /is an emergency number/, written)
})

test('what transfers a phone or a carrier may make is one of three', () => {
  const text = acme.replace('lobby:     { usages: [local] }', 'lobby:     { usages: [local], transfer: acts }')
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
  assert.ok(checked.kind === 'bad')
  assert.equal(checked.problems[0]?.instead, 'Did you mean act?')
})
