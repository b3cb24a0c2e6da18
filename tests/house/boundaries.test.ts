/** The rules of the house that no other tool checks: who may import what. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '../..')
const sources = globSync('{libs,services}/*/src/**/*.{ts,tsx}', { cwd: root }).concat(
  globSync('cli/src/**/*.ts', { cwd: root }),
)

interface Import {
  readonly file: string
  readonly from: string
}

/** Imports of code without its comments. */
function importsOf(file: string): Import[] {
  const text = code(file)
  const found = [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^;'"\n]*(?:\{[^}]*\})?[^;'"\n]*from\s*['"]([^'"]+)['"]/g),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g),
    ...text.matchAll(/(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g),
  ]
  return found.map((m) => ({ file, from: m[1] as string }))
}
function code(file: string): string {
  return readFileSync(join(root, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1')
}

const imports = sources.flatMap(importsOf)
const pureLibs = /^libs\/(contracts|sip|sdp|numbers|pidf|money|rating)\/src\//
const isPure = (file: string): boolean => pureLibs.test(file) || /\/src\/domain\//.test(file)
const listed = (found: Import[]): string[] => found.map((i) => `${i.file} imports ${i.from}`)

test('there is something to check', () => {
  assert.ok(sources.length > 50)
  assert.ok(imports.length > 100)
})

test('pure libraries and every domain folder import no I/O, no bus, no log, no web server', () => {
  const banned =
    /^(node:(net|dgram|tls|fs|fs\/promises|http|https|http2|timers|timers\/promises|child_process|dns|worker_threads|sqlite)|@nats-io\/.*|pino|fastify|pg|kysely|@tandem\/(bus|observability|store|testing)\/.*)$/
  assert.deepEqual(listed(imports.filter((i) => isPure(i.file) && banned.test(i.from))), [])
})

test('pure code reads no clock, no environment and sets no timer', () => {
  const found = sources.filter(isPure).flatMap((f) => {
    const uses = code(f).match(
      /\bDate\.now\(|\bprocess\.env\b|\bsetTimeout\(|\bsetInterval\(|\bMath\.random\(|\bperformance\.now\(|\bnew Date\(\)/g,
    )
    return uses ? [`${f}: ${uses.join(' ')}`] : []
  })
  assert.deepEqual(found, [])
})

test('the NATS client is imported by libs/bus alone, the OpenTelemetry SDK by libs/observability alone', () => {
  assert.deepEqual(listed(imports.filter((i) => i.from.startsWith('@nats-io/') && !i.file.startsWith('libs/bus/'))), [])
  assert.deepEqual(
    listed(
      imports.filter(
        (i) => /^@opentelemetry\/(sdk|exporter)/.test(i.from) && !i.file.startsWith('libs/observability/'),
      ),
    ),
    [],
  )
})

test('sockets are opened in the adapters of edge-proxy and location, in libs/testing and in the command line only', () => {
  const allowed =
    /^(services\/(edge-proxy|location)\/src\/adapters\/|libs\/testing\/|cli\/src\/(up|bench|demo)\/|libs\/store\/)/
  assert.deepEqual(listed(imports.filter((i) => /^node:(net|dgram|tls)$/.test(i.from) && !allowed.test(i.file))), [])
})

test('domain never imports adapters, no service imports a service, no relative import leaves its package', () => {
  assert.deepEqual(listed(imports.filter((i) => /\/src\/domain\//.test(i.file) && /adapters\//.test(i.from))), [])
  const packageOf = (path: string): string =>
    path
      .split('/')
      .slice(0, path.startsWith('cli/') ? 1 : 2)
      .join('/')
  const leaving = imports.filter(
    (i) =>
      i.from.startsWith('.') && packageOf(relative(root, resolve(root, i.file, '..', i.from))) !== packageOf(i.file),
  )
  assert.deepEqual(listed(leaving), [])
  assert.deepEqual(
    listed(
      imports.filter(
        (i) =>
          i.file.startsWith('services/') &&
          /^@tandem\/(edge-proxy|routing|presence|location|billing|console|cli)(\/|$)/.test(i.from),
      ),
    ),
    [],
  )
})

test('only main.ts reads the environment of a service', () => {
  const found = sources.filter(
    (f) => f.startsWith('services/') && !f.endsWith('/main.ts') && /\bprocess\.env\b/.test(code(f)),
  )
  assert.deepEqual(found, [])
})

test('no file is called utils, helpers or common', () => {
  assert.deepEqual(
    sources.filter((f) => /\/(utils?|helpers?|common)(\/|\.tsx?$)/.test(f)),
    [],
  )
})

test('no file spells a subject but the contracts', () => {
  const spelled = sources
    .filter((f) => !f.startsWith('libs/contracts/'))
    .flatMap((f) => {
      const found = code(f).match(
        /['"`](routing|call|location|presence|edge|billing|registration|trunk|emergency|usage|security|config|sip)\.v\d+\.[a-z-]+/g,
      )
      return found ? [`${f}: ${found.join(' ')}`] : []
    })
  assert.deepEqual(spelled, [])
})
