/** Get-CsOnlinePSTNGateway, Get-CsTeamsTranslationRule; Get-CsService -PstnGateway, Get-CsTrunkConfiguration. */
import { lintTranslations } from '@tandem/numbers/lint.ts'
import { type ExportedValue, isObject } from './export-file.ts'
import { flagOf, gatewayName, has, listOf, lost, numberOf, plainName, scopeOf, textOf } from './lync-properties.ts'
import { type Making, readRule, type SourceRow, say, sayFindings, type WrittenRule } from './making.ts'

export function takeTranslation(row: SourceRow, m: Making): void {
  const { name, match, to } = readRule(row.values)
  if (sayFindings(m, row, `translation ${name}`, lintTranslations([{ name, match, to }])))
    m.translations.set(name, { name: plainName(name), match, to })
}

export function takeGateway(row: SourceRow, m: Making): void {
  const { values } = row
  const identity = gatewayName(textOf(values, 'Identity') || textOf(values, 'Fqdn') || textOf(values, 'PoolFqdn'))
  const host = textOf(values, 'Fqdn') || textOf(values, 'PoolFqdn') || identity
  // Teams speaks TLS to its SBCs; Lync says which port is for TCP.
  const tcp = numberOf(values, 'GatewaySipClientTcpPort') ?? numberOf(values, 'GatewaySipPort')
  const port = numberOf(values, 'SipSignalingPort') ?? numberOf(values, 'SipSignallingPort')
  const uri =
    port === undefined ? `sip:${host}${tcp ? `:${tcp}` : ''};transport=tcp` : `sip:${host}:${port};transport=tls`
  const calls = numberOf(values, 'MaxConcurrentSessions')
  const from = m.options.from[identity] ?? (isAddress(host) ? [host] : [])
  const inbound = translations(
    row,
    m,
    identity,
    'InboundTeamsNumberTranslationRules',
    'InboundPSTNNumberTranslationRules',
  )
  const outbound = translations(
    row,
    m,
    identity,
    'OutboundPSTNNumberTranslationRules',
    'OutboundTeamsNumberTranslationRules',
  )
  const translate = { ...(outbound ? { outbound } : {}), ...(inbound ? { inbound } : {}) }
  m.sections.trunks[m.names.trunks(identity)] = {
    ...{ to: [uri], ...(from.length > 0 ? { from } : {}), listener: m.options.listener },
    ...(flagOf(values, 'SendSipOptions') === false ? {} : { options: { interval: '60s' } }),
    ...(calls ? { limits: { calls } } : {}),
    ...(flagOf(values, 'ForwardPai') ? { trusted: true } : {}),
    ...(Object.keys(translate).length > 0 ? { translate } : {}),
  }
  if (from.length === 0) {
    const instead = `Say it: --from ${identity}=192.0.2.10 (address or network, port optional).`
    say(m.errors, row, `trunk ${identity}`, 'the export does not say from which address it calls in', instead)
  }
  if (flagOf(values, 'Enabled') === false)
    say(
      m.notes,
      row,
      `trunk ${identity}`,
      'it is not enabled there, and is here',
      'Drain it, or take it out of the routes.',
    )
}

/** Lync knows many gateways by their address. */
const isAddress = (host: string): boolean => /^\d{1,3}(\.\d{1,3}){3}$/.test(host)

/** Names of translation rules on a trunk → the rules. */
function translations(row: SourceRow, m: Making, trunk: string, called: string, calling: string) {
  const rules = (name: string) => {
    const names = listOf(row.values, name)
    return (names === lost ? [] : names).flatMap((one) => {
      const rule = m.translations.get(String(one))
      if (rule === undefined)
        say(
          m.errors,
          row,
          `trunk ${trunk}`,
          `there is no translation ${String(one)}`,
          'Import Get-CsTeamsTranslationRule too.',
        )
      return rule ?? []
    })
  }
  const found = { called: rules(called), calling: rules(calling) }
  const both = {
    ...(found.called.length > 0 ? { called: found.called } : {}),
    ...(found.calling.length > 0 ? { calling: found.calling } : {}),
  }
  return Object.keys(both).length > 0 ? both : undefined
}

/** Lync: outbound translations of one gateway, or of all that come with it. */
export function takeTrunkConfiguration(row: SourceRow, m: Making): void {
  const identity = textOf(row.values, 'Identity')
  const scope = scopeOf(identity)
  const rulesOf = (name: string) => {
    const list = listOf(row.values, name)
    return (list === lost ? [] : list).flatMap((one) => nestedTranslation(one) ?? [])
  }
  const called = rulesOf('OutboundTranslationRulesList')
  const calling = rulesOf('OutboundCallingNumberTranslationRulesList')
  if (!sayFindings(m, row, `trunk configuration ${identity}`, lintTranslations([...called, ...calling]))) return
  if (called.length + calling.length === 0) return
  const wanted = scope.kind === 'trunk' ? [m.names.trunks(scope.name)] : Object.keys(m.sections.trunks)
  for (const name of wanted) {
    const trunk = m.sections.trunks[name]
    if (trunk === undefined)
      say(
        m.errors,
        row,
        `trunk configuration ${identity}`,
        `there is no trunk ${name}`,
        'Import Get-CsService -PstnGateway too.',
      )
    else if (scope.kind === 'trunk' || trunk.translate === undefined)
      trunk.translate = {
        outbound: { ...(called.length > 0 ? { called } : {}), ...(calling.length > 0 ? { calling } : {}) },
      }
  }
}

function nestedTranslation(value: ExportedValue): WrittenRule | undefined {
  if (!isObject(value) || !has(value, 'Pattern', 'Translation')) return undefined
  const { name, match, to } = readRule(value)
  return { name: plainName(name), match, to }
}
