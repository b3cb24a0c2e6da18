/** docs/rfc.md is true: every file and every test that it names is there. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '../..')
const rows = readFileSync(join(root, 'docs/rfc.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (section|complaint) \|/.test(line))

test('docs/rfc.md names files that exist and tests that exist', () => {
  assert.ok(rows.length > 50)
  const wrong = rows.flatMap((row) => {
    const [, , , file, shown] = row.split(' | ').length === 4 ? ['', ...row.slice(2, -2).split(' | ')] : []
    const [, named] = /^`([^`]+)`$/.exec(file ?? '') ?? []
    const [, testFile, name] = /^`([^`]+)` "(.+)"$/.exec(shown ?? '') ?? []
    if (named === undefined || testFile === undefined || name === undefined) return [`not a row of four: ${row}`]
    const missing = [named, testFile].filter((path) => !existsSync(join(root, path)))
    if (missing.length > 0) return missing.map((path) => `there is no ${path}`)
    const known = readFileSync(join(root, testFile), 'utf8').includes(name)
    return known ? [] : [`${testFile} has no test named ${name}`]
  })
  assert.deepEqual(wrong, [])
})
