// The checks and tests in order: what is quick and says most comes first. Runs under Node 24.
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

const checks = [
  ['format and lint (biome)', 'biome', ['ci', '--colors=off', '--error-on-warnings', '.']],
  ['package boundaries (turbo)', 'turbo', ['boundaries', '--no-color']],
  ['types (tsc)', 'tsc', ['--noEmit', '-p', 'tsconfig.json']],
  ['types of the page (tsc)', 'tsc', ['--noEmit', '-p', 'services/console/src/page/tsconfig.json']],
]

/** Beside each other: own ports, own folders. Then, one after the other, what drives whole platforms and measures time. */
const besides = [
  'libs/*/test/**/*.test.ts',
  'services/*/test/**/*.test.ts',
  'cli/test/**/*.test.ts',
  'tests/house/*.test.ts',
  'tests/conformance/**/*.test.ts',
  'tests/integration/**/*.test.ts',
]
const alone = ['tests/e2e/**/*.test.ts', 'tests/chaos/**/*.test.ts', 'tests/bench/**/*.test.ts']

const loaded = ['./end-open-test.mjs', './same-choices.mjs'].map((file) => new URL(file, import.meta.url).href)
const count = { passed: 0, failed: 0, skipped: 0 }
const failures = []

const chosen = process.argv.slice(2)
if (chosen.length === 0) for (const check of checks) await runCheck(...check)
if (chosen.length > 0) await runTests(chosen, 1)
else {
  await runTests(globSync(besides).sort(), 2)
  await runTests(globSync(alone).sort(), 1)
}
for (const { program, reason } of JSON.parse(process.env.TANDEM_TEST_MISSING ?? '[]'))
  console.log(`not on this machine: ${program}: ${reason}`)
if (failures.length > 0) console.log(`\nfailed:\n${failures.map((f) => `  ${f}`).join('\n')}`)
console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1)

async function runCheck(name, command, args) {
  const began = performance.now()
  const said = []
  const code = await new Promise((done) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (d) => said.push(d))
    child.stderr.on('data', (d) => said.push(d))
    child.on('error', (e) => {
      said.push(Buffer.from(e.message))
      done(1)
    })
    child.on('exit', (c) => done(c ?? 1))
  })
  const ms = Math.round(performance.now() - began)
  if (code === 0) {
    count.passed++
    console.log(`✔ ${name} (${ms} ms)`)
  } else {
    count.failed++
    failures.push(name)
    console.log(`✖ ${name} (${ms} ms)\n${Buffer.concat(said).toString().slice(-8000)}`)
  }
}

async function runTests(files, concurrency) {
  if (files.length === 0) return
  const stream = run({ files, concurrency, timeout: 600_000, execArgv: loaded.flatMap((url) => ['--import', url]) })
  stream.on('test:pass', (e) => {
    if (e.details?.type === 'suite') return
    if (e.skip !== undefined) {
      count.skipped++
      console.log(`skipped: ${e.name}: ${e.skip === true || e.skip === '' ? 'NO REASON GIVEN' : e.skip}`)
    } else if (e.todo === undefined) count.passed++
  })
  stream.on('test:fail', (e) => {
    if (e.details?.type === 'suite') return
    count.failed++
    failures.push(`${e.file ?? ''}: ${e.name}`)
  })
  await new Promise((done, fail) => {
    const shown = stream.compose(spec)
    shown.on('end', done)
    shown.on('error', fail)
    shown.pipe(process.stdout, { end: false })
  })
}
