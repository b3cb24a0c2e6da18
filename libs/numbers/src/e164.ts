import {
  type CountryCode,
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max'

import { withoutTrunkPrefix } from './dial-plan.ts'

/** A "+", a country code and a number: 3 to 15 digits (ITU-T E.164 6), no separators. */
export function isE164(text: string): boolean {
  if (text.length < 4 || text.length > 16 || text.charCodeAt(0) !== 43 || text.charCodeAt(1) === 48) return false
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 48 || code > 57) return false
  }
  return true
}

/** Whether the number can exist by the numbering plan of its country: for warnings, never to refuse a call. */
export function isPlausible(e164: string): boolean {
  return parsePhoneNumberFromString(e164)?.isValid() === true
}

/**
 * E.164 of a number however a carrier writes it: `+1 (425) 555-1001`, `4255551001`, `14255551001`, `0114420…`,
 * `00…`, digits of E.164 without "+". `country` (ISO 3166, two letters) is how a national number is read.
 * Undefined when it is no full number; never give it emergency numbers.
 */
export function toE164(text: string, options: { readonly country: string }): string | undefined {
  const written = text.split(';', 1)[0] as string
  const number = withoutTrunkPrefix(written).replace(/[ \-.()/]/g, '')
  if (number.charCodeAt(0) === 43) return isE164(number) ? number : undefined
  if (!/^\d{5,24}$/.test(number)) return undefined
  if (options.country === 'US' || options.country === 'CA') {
    return northAmerican(number) ?? plausible(`+${number.replace(/^(?:011|00)/, '')}`)
  }
  const country = isSupportedCountry(options.country) ? (options.country as CountryCode) : undefined
  const national =
    country === undefined ? undefined : parsePhoneNumberFromString(number, { defaultCountry: country, extract: false })
  if (national?.isPossible()) return national.number
  // 00 is the international prefix of most of the world (ITU-T E.123), and carriers send it everywhere.
  if (number.startsWith('00')) return plausible(`+${number.slice(2)}`)
  // North America's, from a carrier that sends the same to everybody.
  if (number.startsWith('011')) return plausible(`+${number.slice(3)}`) ?? plausible(`+${number}`)
  return plausible(`+${number}`)
}

const plausible = (e164: string): string | undefined => (isE164(e164) && isPlausible(e164) ? e164 : undefined)

/** NPA-NXX-XXXX with or without the 1: N is 2 to 9. The bulk of the calls, decided without the metadata. */
function northAmerican(number: string): string | undefined {
  const at = number.length === 11 && number.charCodeAt(0) === 49 ? 1 : number.length === 10 ? 0 : -1
  if (at < 0 || number.charCodeAt(at) < 50 || number.charCodeAt(at + 3) < 50) return undefined
  return at === 1 ? `+${number}` : `+1${number}`
}

/** `1` for US, `44` for GB; '' when the country is not known. */
export function callingCode(country: string): string {
  return isSupportedCountry(country) ? getCountryCallingCode(country as CountryCode) : ''
}
