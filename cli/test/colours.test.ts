import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const check = (env: Record<string, string>): string =>
  spawnSync(process.execPath, ['cli/bin/tandem.mjs', 'check', 'examples/acme/tandem.yaml'], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', ...env },
  }).stdout

test('what a program reads has no colours, also under CI; FORCE_COLOR brings them', () => {
  const colour = String.fromCharCode(27)
  assert.ok(check({}).includes('is right'))
  assert.ok(!check({ CI: 'true' }).includes(colour))
  assert.ok(check({ FORCE_COLOR: '1' }).includes(colour))
})
