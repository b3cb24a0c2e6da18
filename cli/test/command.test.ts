import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const tandem = fileURLToPath(new URL('../bin/tandem.mjs', import.meta.url))
const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tandem-cli-'))

function run(...args: string[]) {
  const env = { ...process.env, TANDEM_DATA: join(folder, 'none'), TANDEM_API: '127.0.0.1:2', NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [tandem, ...args], {
    cwd: root,
    env,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test('check says that the example is right', () => {
  const { status, stdout } = run('check', 'examples/acme/tandem.yaml')
  assert.equal(status, 0)
  assert.match(stdout, /is right: 2 users, 2 trunks, 3 routes, 3 test cases/)
})

test('check gives file, line, column and what to write instead, and fails', () => {
  const file = join(folder, 'wrong.yaml')
  writeFileSync(file, 'version: 1\nrotues: []\n')
  const { status, stderr } = run('check', file)
  assert.equal(status, 1)
  assert.match(stderr, /wrong\.yaml:2:1 {2}unknown key rotues\. Did you mean routes\?/)
  const json = JSON.parse(run('check', file, '--json').stdout)
  assert.equal(json.ok, false)
  assert.ok(json.problems.some((p: { line: number; column: number }) => p.line === 2 && p.column === 1))
})

test('rate prices by the longest prefix with increments', () => {
  const args = ['rate', '--deck', 'examples/acme/rates/itsp-a.csv', '--to', '+442079460000', '--seconds', '95']
  assert.deepEqual(JSON.parse(run(...args, '--json').stdout), {
    to: '+442079460000',
    prefix: '4420',
    name: 'United Kingdom London',
    billedSeconds: 96,
    amount: '0.0128',
  })
})

test('a command that finds no console says what to do', () => {
  const { status, stderr } = run('calls')
  assert.equal(status, 1)
  assert.match(stderr, /the console does not answer at http:\/\/127\.0\.0\.1:2 \(ECONNREFUSED\)/)
  assert.match(stderr, /"tandem up" starts it/)
  assert.match(JSON.parse(run('calls', '--json').stderr).remedy, /tandem up/)
})

test('status and down say that nothing runs', () => {
  const { status, stderr } = run('status')
  assert.equal(status, 1)
  assert.match(stderr, /nothing runs on .*none/)
  assert.equal(run('down').status, 0)
})

test('an unknown command is answered with the nearest one', () => {
  const { status, stderr } = run('chek')
  assert.equal(status, 1)
  assert.match(stderr, /Did you mean check\?/)
})

test('every command has --json and a help with an example', () => {
  const { stdout } = run('--help')
  const names = [...stdout.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map((m) => m[1] as string)
  for (const name of [
    'up',
    'down',
    'status',
    'check',
    'plan',
    'apply',
    'rollback',
    'explain',
    'calls',
    'ladder',
    'cdrs',
    'presence',
    'locate',
    'trunks',
    'savings',
    'rate',
    'call',
  ]) {
    assert.ok(names.includes(name), `--help lists ${name}`)
    const help = run(name, '--help').stdout
    assert.match(help, /--json/, name)
    assert.match(help, new RegExp(`\\$ tandem ${name}`), name)
  }
  for (const word of ['drain', 'undrain']) {
    assert.match(run('trunks', word, '--help').stdout, new RegExp(`\\$ tandem trunks ${word} itsp-a`))
    assert.match(JSON.parse(run('trunks', word, 'itsp-a', '--json').stderr).remedy, /tandem up/)
  }
})
