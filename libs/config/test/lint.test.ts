/** `tandem check` shows what the lint of numbers finds, at its place in the file and with what to write instead. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration, type Problem } from '../src/check.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
const longDistance = "match: '^(1\\d{10})$',  to: '+$1'"

function checked(from: string, to: string, options: { lint?: boolean } = {}) {
  assert.ok(acme.includes(from), `acme has no ${from}`)
  const text = acme.replace(from, () => to)
  return { text, result: checkConfiguration({ files: [{ path: 'tandem.yaml', text }], ...options }) }
}

/** What is said about acme with `from` replaced by `to`: the text it points at, then message and remedy. */
function said(from: string, to: string): [at: string, message: string, instead: string][] {
  const { text, result } = checked(from, to)
  const all: Problem[] = [...(result.kind === 'bad' ? result.problems : []), ...result.warnings]
  return all.map(({ line, column, message, instead }) => [
    (text.split('\n')[line - 1] ?? '').slice(column - 1).split(/[ ,]/)[0] as string,
    message,
    instead,
  ])
}

test('a lost country code is a warning at the replacement, with the one that keeps it', () => {
  assert.deepEqual(said(longDistance, "match: '^1(\\d{10})$',  to: '+$1'"), [
    [
      "'+$1'",
      'rule long-distance: the result is not the E.164 number that was dialled: 12015550123 becomes +2015550123, not +12015550123',
      "Write to: '+1$1'.",
    ],
  ])
})
test('a rule that is hidden by one above is a warning at its pattern', () => {
  assert.deepEqual(said(longDistance, "match: '^([2-9]\\d{9})$',  to: '+1$1'"), [
    [
      "'^([2-9]\\d{9})$'",
      'rule long-distance: never used: every number that it matches is taken by "ten-digit" above',
      'Move it up or take it out.',
    ],
  ])
})
test('a pattern that is not tied down is a warning with the one that is', () => {
  const [finding] = said(longDistance, "match: '(1\\d{10})',  to: '+$1'")
  assert.equal(finding?.[0], "'(1\\d{10})'")
  assert.equal(finding?.[2], "Write '^(1\\d{10})$'.")
})
test('a construct that the engine lacks is an error with the rewritten rule', () => {
  const [finding] = said(longDistance, "match: '^(?!1900)(1\\d{10})$',  to: '+$1'")
  assert.equal(finding?.[0], "'^(?!1900)(1\\d{10})$'")
  assert.match(finding?.[2] ?? '', /put a rule for '\^1900' above and write match: '\^\(1\\d\{10\}\)\$'/)
})
test('a translation of a trunk is looked at in the same way', () => {
  const before = "called: [{ match: '^\\+(.*)$', to: '$1' }]"
  const after = "called: [{ match: '^\\+(.*)$', to: '$1' }, { name: us, match: '^\\+1(\\d{10})$', to: '$1' }]"
  const [finding] = said(before, after)
  assert.equal(finding?.[0], "'^\\+1(\\d{10})$'")
  assert.match(finding?.[1] ?? '', /rule us: never used/)
})
test('a rule may be a filled-in form, and becomes the expression of it', () => {
  const form = 'build: { startingDigits: "1", length: exactly 11, add: "+" }'
  const { result } = checked(longDistance, form)
  assert.ok(result.kind === 'ok', JSON.stringify(result))
  assert.deepEqual(result.warnings, [])
  assert.deepEqual(result.configuration.dialPlans['us-hq']?.rules[3], {
    ...{ name: 'long-distance', match: '^(1\\d{10})$', to: '+$1', internal: false },
  })
})
test('a form that cannot be built, or that stands beside an expression, is refused', () => {
  const short = said(longDistance, 'build: { startingDigits: "1425", length: exactly 3 }')
  assert.match(short[0]?.[1] ?? '', /length is shorter/)
  const both = said(longDistance, `${longDistance}, build: { startingDigits: "1" }`)
  assert.match(both[0]?.[1] ?? '', /either built from a form or written/)
  assert.match(said(longDistance, "match: '^1$'")[0]?.[1] ?? '', /has no to/)
})
test('the global dial plan exists', () => {
  const [finding] = said('\ndialPlans:', '\ndialPlan: us-hk\ndialPlans:')
  assert.deepEqual(finding, ['us-hk', 'there is no dial plan us-hk', 'Did you mean us-hq?'])
})
test('services do not look for warnings of patterns, but refuse what cannot work', () => {
  const quick = checked(longDistance, "match: '^1(\\d{10})$',  to: '+$1'", { lint: false }).result
  assert.ok(quick.kind === 'ok' && quick.warnings.length === 0)
  assert.equal(checked(longDistance, "match: '^(?!1)$',  to: '+$1'", { lint: false }).result.kind, 'bad')
})
test('a dial plan of 400 rules is looked at in a moment', () => {
  const rules = Array.from({ length: 400 }, (_, i) => `      - { name: r${i}, match: '^9?(${i}\\d{8})$', to: '+1$1' }`)
  const before = process.cpuUsage()
  checked(
    '    rules:                                                            # first match wins',
    `    rules:\n${rules.join('\n')}`,
  )
  assert.ok(process.cpuUsage(before).user < 5_000_000)
})

test('keys of SRTP on a readable way are a warning, codecs that nobody knows too, none left is an error', () => {
  const of = (more: string) =>
    said('    emergency: true\n    cost: itsp-a-minutes', `    emergency: true\n    ${more}\n    cost: itsp-a-minutes`)
  assert.deepEqual(of('srtp: required'), [
    ['required', 'the keys of SRTP cross carrier in the clear', 'Use a listener with tls://, or a protected network.'],
  ])
  assert.deepEqual(of('codecs: { allow: [PCMA, PCNU] }')[0]?.slice(1), [
    'PCNU is no codec that is known here',
    'Did you mean PCMU?',
  ])
  assert.deepEqual(of('codecs: { allow: [PCMA, telephone-event], strip: [pcma] }')[0]?.slice(1), [
    'no voice codec is left',
    'Allow one that is not stripped, as PCMA.',
  ])
})

test('patterns that are slow together are warned of, and refused when calls would time out; simple ones are not', () => {
  const rules = (n: number, match: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => `      - { name: r${i}, match: '${match(i)}', to: '+1$1' }`).join('\n')
  const said = (n: number, match: (i: number) => string) => {
    const text = acme.replace('    rules:\n', () => `    rules:\n${rules(n, match)}\n`)
    const checked = checkConfiguration({ files: [{ path: 'a.yaml', text }] })
    const all = checked.kind === 'bad' ? checked.problems : checked.warnings
    return `${checked.kind} ${all.find(({ message }) => message.includes('to try the rules'))?.message ?? ''}`
  }
  const slow = (i: number) => `^${i}((\\d{3})?\\d{7})$`
  assert.equal(said(10, slow), 'ok ')
  assert.match(said(50, slow), /^ok to try the rules of us-branch on one number may take 5\d ms$/)
  assert.match(said(250, slow), /^bad to try the rules of us-branch on one number may take 25\d ms$/)
  assert.equal(
    said(1000, (i) => `^${i}(\\d{10})$`),
    'ok ',
  )
})
test('names are as long as Teams has them, lists and patterns have an end', () => {
  const problem = (from: string, to: string) => {
    const checked = checkConfiguration({ files: [{ path: 'a.yaml', text: acme.replace(from, () => to) }], lint: false })
    return checked.kind === 'bad' ? (checked.problems[0]?.message ?? '') : 'ok'
  }
  assert.equal(problem('name: puget-sound', `name: ${'a'.repeat(100)}`), 'ok')
  assert.notEqual(problem('name: puget-sound', `name: ${'a'.repeat(101)}`), 'ok')
  const pattern = (length: number) => `match: '^${'1'.repeat(length - 1)}'`
  assert.equal(problem("match: '^\\+'", pattern(1024)), 'ok')
  assert.notEqual(problem("match: '^\\+'", pattern(1025)), 'ok')
  const usages = (n: number) =>
    `usages: [international, ${Array.from({ length: n - 1 }, (_, i) => `u${i}`).join(', ')}]`
  assert.equal(problem('usages: [international]', usages(10_000)), 'ok')
  assert.notEqual(problem('usages: [international]', usages(10_001)), 'ok')
})
