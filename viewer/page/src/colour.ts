/*
 * Colours of frames. Their lightness and strength are the theme's, so that text on them can always
 * be read; their hue says what they belong to. They are made in OKLCH, in which equal steps look
 * equal, and given as rgb() for the canvas.
 */
export interface Theme {
  isDark: boolean;
  text: string;
  muted: string;
  page: string;
  line: string;
  accent: string;
  chosen: string;
  found: string;
}

/** What the style sheet says now. */
export function theme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    isDark: value("--is-dark") === "1",
    text: value("--text"),
    muted: value("--muted"),
    page: value("--panel"),
    line: value("--line"),
    accent: value("--accent"),
    chosen: value("--chosen"),
    found: value("--found"),
  };
}

function channel(linear: number): number {
  const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, value)));
}

export function oklch(lightness: number, chroma: number, hue: number): string {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const red = channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = channel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return `rgb(${red}, ${green}, ${blue})`;
}

/* The program itself is warm, the standard library and the system's are cool and faint; packages are
 * spread over the rest. */
const PROGRAM_HUE = 65;
const LIBRARY_HUE = 250;
const SYSTEM_HUE = 180;
const PACKAGE_HUES = [150, 320, 195, 20, 290, 115, 350, 225, 175, 95];

function spread(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}

export function packageColour(name: string, isDark: boolean): string {
  if (name === "program") return oklch(isDark ? 0.5 : 0.85, 0.105, PROGRAM_HUE);
  if (name === "stdlib" || name === "system")
    return oklch(isDark ? 0.4 : 0.88, 0.03, name === "stdlib" ? LIBRARY_HUE : SYSTEM_HUE);
  if (name === "") return greyColour(isDark);
  return namedColour(name, isDark);
}

export function namedColour(name: string, isDark: boolean): string {
  const hash = spread(name);
  const hue = PACKAGE_HUES[hash % PACKAGE_HUES.length]!;
  const step = ((hash >>> 8) % 3) * 0.02;
  return oklch((isDark ? 0.44 : 0.85) + step, 0.075, hue);
}

export function greyColour(isDark: boolean): string {
  return oklch(isDark ? 0.36 : 0.9, 0.004, LIBRARY_HUE);
}

/** From nothing (0) to all (1). */
export function heatColour(part: number, isDark: boolean): string {
  const strength = Math.sqrt(Math.min(1, Math.max(0, part)));
  return isDark ? oklch(0.34 + 0.14 * strength, 0.01 + 0.12 * strength, 45) : oklch(0.95 - 0.2 * strength, 0.01 + 0.13 * strength, 55);
}

/** From less (-1) by no change (0) to more (1). */
export function changeColour(part: number, isDark: boolean): string {
  const strength = Math.sqrt(Math.min(1, Math.abs(part)));
  const hue = part > 0 ? 30 : 245;
  return isDark ? oklch(0.36 + 0.17 * strength, 0.01 + 0.13 * strength, hue) : oklch(0.93 - 0.18 * strength, 0.005 + 0.12 * strength, hue);
}
