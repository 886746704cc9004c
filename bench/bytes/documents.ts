// Values as applications store them, made up: the same for the same number, and none like another.

import { seeded, uniform } from "../random.ts";

const WORDS =
  "the of and to in is that it was for on are as with his they be at one have this from or had by hot but some what there we can out other were all your when up use word how said an each she which do their time if will way about many then them would write like so these her long make thing see him two has look more day could go come did my sound no most number who over know water than call first people may down side been now find any new work part take get place made live where after back little only round man year came show every good me give our under name very through just form great think say help low line before turn cause same mean differ move right boy old too does tell sentence set three want air well also play small end put home read hand port large spell add even land here must big high such follow act why ask men change went light kind off need house picture try us again animal point mother world near build self earth father".split(
    " ",
  );
const CITIES = ["Amsterdam", "Bergen", "Cork", "Dresden", "Essen", "Florence", "Ghent", "Helsinki", "Izmir", "Jena"];
const ROLES = ["reader", "writer", "admin", "auditor"];
const STATES = ["active", "suspended", "invited", "closed"];

type Make = (number: number, bytes: number) => Buffer;

/** Words in the frequency of no language, and sentences. */
export const text: Make = (number, bytes) => {
  const random = seeded(number);
  return Buffer.from(prose(random, bytes).slice(0, bytes));
};

/** A record about somebody, with as many events as there is room for. */
export const json: Make = (number, bytes) => {
  const random = seeded(number);
  const pick = <T>(from: T[]) => from[uniform(from.length, random)] as T;
  const hex = (digits: number) => Array.from({ length: digits }, () => uniform(16, random).toString(16)).join("");
  const day = () => new Date(1.6e12 + uniform(2e11, random)).toISOString();
  const name = `${pick(WORDS)}.${pick(WORDS)}${uniform(1000, random)}`;
  const events: object[] = [];
  const record = {
    ...{ id: hex(16), name, email: `${name}@example.com`, state: pick(STATES), createdAt: day() },
    ...(bytes > 300 && {
      address: {
        street: `${pick(WORDS)} street ${uniform(200, random)}`,
        city: pick(CITIES),
        zip: uniform(99_999, random),
      },
      roles: ROLES.slice(uniform(ROLES.length, random)),
      settings: { theme: pick(["dark", "light"]), language: pick(["en", "de", "nl"]), newsletter: random() < 0.5 },
      about: prose(random, bytes / 8),
    }),
    events,
  };
  for (;;) {
    const text = JSON.stringify(record);
    if (text.length >= bytes - 60) return Buffer.from(text);
    events.push({ at: day(), kind: pick(WORDS), session: hex(12), amount: uniform(10_000, random) / 100 });
  }
};

/** What was compressed or encrypted before. */
export const random: Make = (number, bytes) => {
  const next = seeded(number);
  const value = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) value[i] = uniform(256, next);
  return value;
};

function prose(random: () => number, bytes: number): string {
  let text = "";
  for (let words = 0; text.length < bytes; words++) {
    const word = WORDS[Math.floor(WORDS.length * random() ** 2)] as string;
    text += words % 11 === 0 ? `${word[0]?.toUpperCase()}${word.slice(1)} ` : `${word}${words % 11 === 10 ? "." : ""} `;
  }
  return text;
}
