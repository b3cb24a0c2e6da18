/** Patterns that hang backtracking engines, and large ones that are merely slow: none may hold up a call. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePattern, longestInput } from '../src/pattern.ts'

/** Shapes known from the literature and from advisories: nested, overlapping and adjacent quantifiers. */
const corpus = [
  '^(\\d+)+$',
  '^(\\d*)*$',
  '^((\\d+)*)*#$',
  '^(\\d|\\d\\d)+$',
  '^(\\d|\\d)*#',
  '(a|a)*b',
  '(x+x+)+y',
  '(.*)*#',
  '^(.*){1,32}[bc]',
  '((((((\\d*)*)*)*)*)*)*#',
  '(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)#',
  `${'\\d*'.repeat(100)}#`,
  `^${'\\d?'.repeat(60)}${'\\d'.repeat(60)}$`,
  '(\\d|\\d|\\d|\\d|\\d)*(\\d|\\d|\\d)*#',
  '((1|2|3|4)*5?){50}#',
  '^\\+?(\\d{1,3}[- ]?)*\\d+#$',
  '^(([a-z0-9])+.)+[A-Z]([a-z0-9])+$',
  '^([0-9]+[.-]?)+@$',
  '(?i)(x|X)*z',
  `${'('.repeat(100)}\\d*${')*'.repeat(100)}#`,
]
/** Linear, but with so large a factor that they would be felt. */
const tooLarge = [
  '^(\\d{1,100}){1,10}#$',
  '^(\\d{1,1000})$',
  '((\\d{1,30}){1,30}){1,1}#',
  '(?:\\d?){500}\\d{500}',
  '[\\p{L}\\p{N}]{1000}',
  '(\\d{0,200}){5}#',
  '((\\d{100}){100}){100}',
]
const inputs = ['1', '12', 'x', 'a', '1-', '+1 '].flatMap((piece) =>
  ['', '#', '!', 'b'].map((end) => piece.repeat(longestInput).slice(0, longestInput - 1) + end),
)

for (const source of corpus) {
  test(`no text can hold up ${source.slice(0, 40)}`, () => {
    const compiled = compilePattern(source)
    if (compiled.kind === 'unsupported') return
    const before = process.cpuUsage()
    for (const text of inputs) compiled.pattern.exec(text)
    const { user, system } = process.cpuUsage(before)
    // A backtracking engine needs longer than the universe; here it is a few ms a text on a slow machine.
    assert.ok(user + system < 2_000_000, `${(user + system) / 1000} ms for ${inputs.length} texts`)
  })
}

test('a pattern that is linear but very large is refused with what to write instead', () => {
  for (const source of tooLarge) assert.equal(compilePattern(source).kind, 'unsupported', source)
  const refused = compilePattern('^(\\d{1,1000})$')
  assert.equal(refused.kind === 'unsupported' && refused.hint, "a number has at most 15 digits: write '^(\\d{1,15})$'")
})

test('a text longer than any number or name matches nothing', () => {
  for (const source of ['^\\d+', '(\\d+)+', '.*']) {
    const compiled = compilePattern(source)
    assert.ok(compiled.kind === 'pattern')
    assert.equal(compiled.pattern.test('1'.repeat(longestInput + 1)), false)
  }
})

test('what the engine lacks is refused with the rewritten rule', () => {
  const hint = (source: string) => {
    const compiled = compilePattern(source)
    return compiled.kind === 'unsupported' ? compiled.hint : 'it is supported'
  }
  assert.match(hint('^(?!911)(\\d+)$'), /write match: '\^\(\\d\+\)\$' with except: \['\^911'\]/)
  assert.match(hint('^\\+(?!1|44)(\\d+)$'), /match: '\^\\\+\(\\d\+\)\$' with except: \['\^\\\+1', '\^\\\+44'\]/)
  assert.match(hint('^(?=425)(\\d{10})$'), /write '\^\(425\\d\*\)\$'/)
  assert.match(hint('^(\\d++)$'), /write '\^\(\\d\+\)\$'/)
  assert.match(hint('^(?>\\d+)$'), /write '\^\(\?:\\d\+\)\$'/)
  assert.match(hint('^(\\d)\\1$'), /reference back/)
})
