import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { deckFiles, readRevision, writeRevision } from '../src/revision.ts'
import { findFile, resolveSecret, secretNames } from '../src/secrets.ts'
import { parseBandwidth, parseDuration, parsePeer } from '../src/units.ts'

const text = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
const revision = {
  revision: 7,
  by: 'admin',
  at: '2026-01-01T00:00:00Z',
  why: 'first',
  source: [{ path: 'tandem.yaml', text }],
  decks: { 'rates/itsp-a.csv': 'prefix,name\n' },
}

test('a revision is read back as the configuration that was written', () => {
  const read = readRevision(writeRevision(revision))
  assert.ok(read.kind === 'ok')
  assert.equal(read.revision.revision, 7)
  assert.equal(read.configuration.domain, 'acme.example')
  assert.deepEqual(deckFiles(read.configuration), ['rates/itsp-a.csv'])
})

test('a broken revision is said to be bad and never throws', () => {
  assert.equal(readRevision('{').kind, 'bad')
  assert.equal(readRevision('{"revision":0}').kind, 'bad')
  const broken = readRevision(writeRevision({ ...revision, source: [{ path: 'x', text: 'version: 2' }] }))
  assert.ok(broken.kind === 'bad' && broken.problems.length > 0)
})

test('the names of all secrets are listed once', () => {
  const read = readRevision(writeRevision(revision))
  assert.ok(read.kind === 'ok')
  assert.deepEqual(secretNames(read.configuration).sort(), ['ALICE_PASSWORD', 'BOB_PASSWORD', 'ITSP_B_PASSWORD'])
})

test('a secret comes from the environment or a file, and one that is missing says what to do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-secrets-'))
  writeFileSync(join(folder, 'trunk'), 'hush\n')
  assert.deepEqual(resolveSecret({ env: 'A' }, { A: 'x' }), { kind: 'ok', value: 'x' })
  assert.deepEqual(resolveSecret({ file: 'trunk' }, { TANDEM_CONFIG_DIR: folder }), { kind: 'ok', value: 'hush' })
  const missing = resolveSecret({ env: 'A' }, {})
  assert.ok(missing.kind === 'missing' && /set it/.test(missing.message))
  assert.equal(findFile('nowhere', { TANDEM_DATA: folder }), null)
})

test('units are read as people write them', () => {
  assert.equal(parseDuration('30m'), 1_800_000)
  assert.equal(parseBandwidth('1.5Mbit/s'), 1500)
  assert.deepEqual(parsePeer('[2001:db8::1]:5060'), { address: '2001:db8::1', prefix: null, port: 5060 })
  assert.deepEqual(parsePeer('2001:db8::/32'), { address: '2001:db8::', prefix: 32, port: null })
  assert.deepEqual(parsePeer('192.0.2.1:5080'), { address: '192.0.2.1', prefix: null, port: 5080 })
})
