import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { canReadCpu, readCpu, spent, total } from '../src/bench/cpu-time.ts'
import { benchNumber, benchPrefixes } from '../src/bench/numbers.ts'
import { median, quantile } from '../src/bench/round.ts'

const tandem = fileURLToPath(new URL('../bin/tandem.mjs', import.meta.url))
const skip = canReadCpu() ? false : 'CPU time is read from /proc'

test('bench calls prints a JSON object a line; every call is answered and has its priced CDRs', { skip }, async () => {
  const args = [tandem, 'bench', 'calls', '--rate', '20', '--calls', '20', '--runs', '1', '--no-peer', '--json']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const code = await new Promise((done) => child.once('close', done))
  assert.equal(code, 0, said)
  const figures = new Map(
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map((f) => [f.name, f]),
  )
  for (const figure of figures.values()) {
    assert.deepEqual(Object.keys(figure), ['name', 'value', 'unit', 'peer', 'ratio'])
    assert.deepEqual([figure.peer, figure.ratio], [null, null])
  }
  assert.equal(figures.get('calls: failed, at 20/s').value, 0)
  assert.equal(figures.get('calls: without CDR, at 20/s').value, 0)
  for (const name of ['CPU of all processes per call', 'set-up p50', 'set-up p99']) {
    assert.ok(figures.get(`calls: ${name}, at 20/s`).value > 0, name)
  }
  assert.equal(said.match(/20 of 20 calls answered/g)?.length, 2, 'a warm-up and one round')
  assert.match(said, /no peer: not asked for/)
})

test('bench held keeps calls up, tells their memory and CPU, and every one has its CDRs afterwards', {
  skip,
}, async () => {
  const args = ['--calls', '20', '--rate', '20', '--hold', '8', '--no-peer', '--json']
  const child = spawn(process.execPath, [tandem, 'bench', 'held', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const code = await new Promise((done) => child.once('close', done))
  assert.equal(code, 0, said)
  const lines = out.trim().split('\n')
  const figures = new Map(lines.map((line) => JSON.parse(line)).map((f) => [f.name, f.value]))
  assert.equal(typeof figures.get('held: memory of all processes per call, 20 are up'), 'number')
  for (const name of [
    'memory of the edge before',
    'memory of the edge afterwards',
    'CPU of the edge while 20 are up',
  ]) {
    assert.ok(figures.get(`held: ${name}`) > 0, name)
  }
})

test('bench register registers everybody with digest and prints what it took', { skip }, async () => {
  const args = [
    tandem,
    'bench',
    'register',
    '--rate',
    '50',
    '--registrations',
    '50',
    '--runs',
    '1',
    '--no-peer',
    '--json',
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const code = await new Promise((done) => child.once('close', done))
  assert.equal(code, 0, said)
  const figures = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; value: number })
  const value = (name: string) => figures.find((f) => f.name === `register: ${name}, at 50/s`)?.value
  assert.equal(value('refused or unanswered'), 0)
  assert.ok((value('CPU of all processes per registration') ?? 0) > 0)
  assert.ok((value('REGISTER to 200 p99') ?? 0) > 0)
  assert.match(said, /50 of 50 registered/)
})

test('the CPU time of a process tree grows by what its processes burn', { skip }, async () => {
  const burn =
    "const end = process.cpuUsage().user + 300000; while (process.cpuUsage().user < end); console.log('done'); process.stdin.on('end', () => process.exit()).resume()"
  const child = spawn(process.execPath, [
    '-e',
    `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(burn)}], { stdio: ['pipe', 'inherit', 'inherit'] })
     setInterval(() => {}, 1000)`,
  ])
  try {
    const roots = [{ name: 'parent', pid: child.pid as number }]
    const before = readCpu(roots)
    await new Promise((done) => child.stdout.once('data', done))
    const after = readCpu(roots)
    assert.ok(total(spent(before, after)) >= 300_000, JSON.stringify([...after]))
  } finally {
    child.kill('SIGKILL')
  }
})

test('every number dialled lies in one of the prefixes, and is a number of the North American plan', () => {
  assert.equal(new Set(benchPrefixes).size, 10_000)
  for (let i = 0; i < 1000; i++) {
    const number = benchNumber(i / 1000)
    assert.match(number, /^1[2-9]\d{2}[2-9]\d{6}$/)
    assert.ok(benchPrefixes.includes(number.slice(0, 7)))
  }
})

test('medians and quantiles', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
  assert.deepEqual([quantile([1, 2, 3, 4], 0.5), quantile([1, 2, 3, 4], 0.99)], [3, 4])
})
