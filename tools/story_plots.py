"""The words and the plots of tools/make_stories.py.

A plot is a list of paragraphs, a paragraph a list of beats, a beat a list of templates of which one is written. EXTRA
is a beat that is left out half of the time. Past tense, third person; {h} is the hero by name or pronoun.
"""


def words(text):
    return [w.strip() for w in text.replace("\n", ",").split(",") if w.strip()]


WORDS = {
    "girl_name": words("Anna, Ella, Mia, Lily, Rosa, Nora, Clara, Ida, Ruby, Zoe, Emma, Lucy, Grace, Hana, Maya, Sara, Tess, "
                       "Vera, Wendy, Alice, Julia, Molly, Penny, Olive"),
    "boy_name": words("Tom, Ben, Max, Leo, Sam, Jack, Oscar, Felix, Hugo, Noah, Omar, Paul, Finn, Theo, Adam, Carl, Dan, Emil, "
                      "Gus, Ivan, Luke, Milo, Nils, Peter"),
    "animal": words("rabbit, fox, bear, duck, mouse, dog, cat, frog, owl, horse, goat, hen, squirrel, turtle, deer, pig, sheep, "
                    "crow, goose, hedgehog, beaver, donkey, cow, swan, bee"),
    "size": words("small, little, tiny, big, young, old, brown, gray, white, shy, clever, lazy, funny, gentle"),
    "thing": words("ball, kite, drum, book, hat, boat, lamp, bell, key, doll, box, cup, coat, scarf, basket, flute, whistle, "
                   "ring, map, wagon, clock, blanket, bucket, candle, mirror, pillow, spoon, stone, shell, feather, button, "
                   "coin, rope, ladder, brush, mask, puppet, lantern, flag, medal"),
    "adj": words("new, old, shiny, pretty, strange, heavy, soft, round, lovely, wooden, broken, golden, simple, warm, clean, "
                 "dusty, bright, smooth, magic, quiet, long, thin, strong, fine"),
    "color": words("red, blue, green, yellow, white, black, purple, orange, brown, silver, pink, gray"),
    "place": words("garden, forest, park, market, river, lake, beach, school, barn, bridge, hill, kitchen, library, meadow, "
                   "mill, station, village, field, castle, bakery, harbor, attic, cave, orchard, playground, tower, well, "
                   "stable, workshop, yard"),
    "spot": words("under the table, behind the door, near the old tree, by the fence, under a bench, behind the wall, "
                  "next to the stove, in the tall grass, between two rocks, on the roof, under the stairs, in a deep hole, "
                  "behind some boxes, beside the path, under the leaves, on a high branch, inside an empty barrel, "
                  "near the gate, in the mud, on top of the shelf, at the edge of the water, below the window"),
    "home": words("a small house, a yellow house, a tall house, a quiet town, a little village, a cottage near the woods, "
                  "a house by the sea, a farm, a room above the bakery, a town with many bridges, a house full of books, "
                  "an old mill, a boat on the river, a cabin in the hills"),
    "family": words("mother, father, grandmother, grandfather, sister, brother, aunt, uncle, cousin"),
    "neighbor": words("farmer, baker, teacher, sailor, doctor, painter, gardener, shopkeeper, fisher, soldier, carpenter, tailor, "
                      "singer, cook, driver, miller"),
    "food": words("bread, soup, cake, pie, apples, honey, cheese, cookies, milk, berries, pancakes, nuts, plums, jam, rice, "
                  "pears, carrots, tea"),
    "weather": words("sunny, rainy, windy, cold, warm, cloudy, snowy, hot, foggy, bright, quiet, stormy"),
    "time": words("one morning, one evening, one afternoon, one day, early one morning, late one evening, on Monday, "
                  "on Sunday, after breakfast, after lunch, before dinner, in the spring, last summer, one winter day, "
                  "when the sun came up, at noon, on the first day of autumn, after the rain"),
    "feel": words("happy, proud, sad, tired, worried, excited, lonely, hungry, brave, curious, angry, surprised, calm, nervous"),
    "good": words("happy, proud, glad, warm, safe, brave, lucky, calm, strong, cheerful, thankful, full of joy"),
    "bad": words("sad, worried, tired, angry, lonely, scared, cold, upset, nervous, ashamed"),
    "kind": words("kind, brave, clever, quiet, cheerful, polite, curious, careful, funny, honest, patient, stubborn, shy, busy, "
                  "gentle, friendly"),
    "slowly": words("slowly, quickly, quietly, carefully, happily, bravely, calmly, eagerly, silently, lazily"),
    "softly": words("softly, kindly, gently, sadly, quietly, calmly, proudly, politely, loudly, happily, warmly, shyly"),
    "went": words("walked, ran, hurried, went, rode, skipped, wandered, marched, raced"),
    "looked": words("looked, searched, peeked, dug, felt around, hunted"),
    "liked": words("liked, loved, wanted, hoped, learned, tried"),
    "activity": words("sing, paint, swim, dance, read, bake bread, climb trees, ride a bike, fly kites, catch fish, tell stories, "
                      "play the drum, count the stars, draw maps, grow flowers, build towers, feed the birds, collect stones, "
                      "write letters, skate on the ice, plant seeds, help in the kitchen, fix old toys, watch the clouds, "
                      "jump over puddles, whistle songs"),
    "made": words("tower, boat, house of cards, snowman, bridge, tent, wooden horse, bird house, raft, sand castle, swing, cart, "
                  "tree house, paper lantern, wind mill, little table"),
    "stuff": words("wood, paper, cloth, clay, straw, stones, string, sticks, cardboard, leaves"),
    "plant": words("bean, rose, pumpkin, sunflower, apple tree, strawberry, cherry tree, melon, tulip, tomato, carrot, lemon tree"),
    "fear": words("the dark, deep water, thunder, big dogs, high places, loud noises, spiders, the old well, the long tunnel, "
                  "the cold cellar, the night wind, strangers"),
    "sound": words("a splash, a knock, a soft cry, a whistle, a loud crack, a song, a bark, a bell, a small voice, footsteps, "
                   "a laugh, a strange noise"),
    "contest": words("race, singing contest, cooking contest, swimming race, spelling game, drawing contest, sack race, "
                     "kite contest, dance, treasure hunt, boat race, snowball game"),
    "body": words("leg, paw, foot, wing, tail, ear, nose, arm"),
    "number": words("two, three, four, five, six, seven, ten, twelve"),
    "period": words("day, week, hour, night, morning, month"),
    "tool": words("hammer, rope, ladder, shovel, brush, needle, bucket, saw, broom, basket"),
    "lesson": words("sharing makes everyone happy, a friend is better than gold, it is good to ask for help, "
                    "small steps lead far, the truth is always best, being kind costs nothing, "
                    "waiting can be worth it, even the smallest one can help, mistakes are how we learn, "
                    "a promise must be kept, being brave does not mean having no fear, "
                    "hard work feels good when it is done, nobody wins alone, listening is a gift"),
}

OPENINGS = [
    ["{time}, a {kind} {child} named {hero} [sat|stood|played|waited] {spot} [near|by|at] the {place}.",
     "there [once was|was once] a {kind} {child} called {hero} who lived in {home} [with {his} {family}|near the {any_place}].",
     "{hero} was a {kind} [and {kind} |]{child} who {liked} to {activity}.",
     "{hero} lived in {home} [with {his} {family}|near the {any_place}|and had a {size} {animal}].",
     "it was a {weather} [day|morning|evening] and {hero} [went|came|walked] to the {place} with {his} {family}.",
     "everybody at the {place} knew {hero}, the {kind} {child} who {liked} to {activity}.",
     "once upon a time, {hero} and {his} {family} lived in {home}, not far from the {any_place}.",
     "long ago, in {home}, there lived a {kind} {child} [named|called] {hero}.",
     "[every|almost every] {weather} morning, {hero} {went} to the {place} to {activity}.",
     "{hero}, a {child} from {home}, wanted to {activity} more than anything."],
    ["{h} had [a {size} {animal}|{number} friends at the {any_place}|no brothers and no sisters], but {his} best friend was {afriend}.",
     "{his} best friend was {afriend} who {liked} to {activity}.",
     "[most of all|more than anything], {h} {liked} to {activity} [with {friend}|with {his} {any_family}|on {weather} days].",
     "{h} always [carried|wore|had] a {color} {any_thing} [and ate {any_food} for lunch|that came from {his} {any_family}].",
     "{his} {family} was a {neighbor} who {liked} to {activity} and made good {food}.",
     "at night {h} could hear {sound} from the {any_place}, and it made {him} [{good}|{bad}].",
     "on {weather} days, {h} and {friend} would {activity} [together|until dinner|by the {any_place}]."],
]

EXTRA = [
    "it was [very |quite |]{weather}[ that {any_period}| now| outside], and the {place} was [quiet|empty|full of people|dark].",
    "{friend} [laughed|smiled|sighed|yawned] and ate some {any_food}.",
    "far away {h} heard {sound} and then {sound}.",
    "a {size} {any_animal} [watched|followed|passed] {him} {slowly}.",
    "{h} {went} past the {any_place} and over the {any_place}.",
    "\"[oh no|oh dear|look|wait|listen|come here],\" said {friend} {softly}.",
    "the {color} [sky|sun|moon|cloud|light] [above|over|behind] the {any_place} looked {adj}.",
    "{he} thought about {his} {any_family} and felt [{good}|{bad}].",
    "{h} counted to {number} and took a [deep|long|slow] breath.",
    "[first|then|so] {h} ate [a little|some|all the] {food} and drank [water|tea|milk] with {friend}.",
    "\"do you [like|want|have] {any_food}?\" asked the {size} {any_animal}.",
]

LOST = [
    [["one thing was very dear to {him}: a {color} {thing} [from {his} {any_family}|that was {adj} and {any_adj}|with a {any_color} {any_thing} on it].",
      "{his} {family} had given {him} a {adj} {thing} [for {his} birthday|on a {weather} day|made of {stuff}].",
      "everywhere {h} went, {he} took {his} {color} {thing} along, even to the {any_place}."],
     ["{time}, the {thing} was gone. {h} felt {bad} and [cried|sat down {spot}|called for {friend}].",
      "but {time}, {h} [looked {spot}|came back from the {place}] and could not find the {thing}.",
      "then, on a {weather} {period}, the {color} {thing} was not in its place {spot}."], EXTRA],
    [["{h} {looked} {spot}, but there was only a {size} {any_animal} and a {color} {any_thing}.",
      "{h} {looked} {spot} and then {spot}, but found only {any_food}.",
      "first {h} {went} to the {place2} and {looked} {spot}."],
     ["\"have you seen my {color} {thing}?\" {he} asked a {size} {any_animal}.",
      "\"my {thing} is gone,\" {h} told the {neighbor} {softly}. \"it is {color} and {adj}.\"",
      "\"please help me find my {adj} {thing},\" said {hero} to {friend}."],
     ["\"[no|sorry], but I saw something {color} {spot},\" said {friend}.",
      "the {neighbor} [thought for a while|shook {his} hand|looked at {him} kindly] and said, \"Look {spot} near the {place2}.\"",
      "{friend} {looked} {spot} while {h} {looked} {spot}."], EXTRA],
    [["there it was! the {thing} lay {spot}, {color} and {adj} as before.",
      "at last {friend} found the {color} {thing} {spot}.",
      "{spot}, {h} saw something {color}, and it was the {thing}.",
      "a {size} {any_animal} came out of the {place2} with the {color} {thing} in its mouth."],
     ["{h} held the {thing} {softly} and gave {friend} [some {food}|a {any_color} {any_thing}|a big hug].",
      "\"thank you, {friend},\" said {hero}, and {he} felt {good} and {good}."]],
]

EARN = [
    [["in the window of the {place} {h} saw a {color} {thing}, and it was {adj} and {any_adj}.",
      "{h} wanted a {adj} {color} {thing} more than anything [in the {place}|in the world].",
      "the {neighbor} at the {place} had a {adj} {thing} to sell for {number} coins."],
     ["but {h} had no money, only {number} {any_color} [stones|buttons|shells] and some {food}.",
      "\"it costs {number} coins,\" said the {neighbor}, and {h} felt {bad}.",
      "{his} {family} said {softly}, \"You can have the {thing} if you work for it.\""], EXTRA],
    [["so {h} helped the {any_neighbor} [carry|clean|sell|find] {any_food} at the {place2} for {number} days.",
      "\"I will help you {activity},\" said {hero} to the {neighbor}.",
      "{time}, {h} took a {tool} and began to work {spot} in the {place2}."],
     ["the work was [hard|long|heavy], and {his} hands were {any_adj} and {bad} at night.",
      "{friend} came with a {tool} and some {any_food}, and they worked until it was dark.",
      "{he} carried {number} baskets of {any_food} from the {place2} to the {any_place}."],
     ["each {period} {h} put a coin into a {color} box {spot}.",
      "after {number} days {h} had {number} coins and [a {any_adj} back|a new friend|many stories to tell].",
      "the {neighbor} watched {him} {softly} and smiled."], EXTRA],
    [["then the {neighbor} gave {him} the {color} {thing} and said, \"You worked [hard|well|{slowly}], {hero}.\"",
      "at the end of the {period}, {h} {went} to the {place} and bought the {adj} {thing}.",
      "\"this {thing} is yours now,\" said the {neighbor}, \"because you are {kind} and {kind}.\""],
     ["{h} showed the {thing} to {friend}, and they [played|laughed|sang] {spot} until evening.",
      "{he} {went} home with the {color} {thing} and felt {good}."]],
]

RESCUE = [
    [["{time}, {h} heard {sound} [near|behind|from] the {place2}.",
      "while {h} {went} to the {place2}, {he} saw something {color} {spot}.",
      "on the way to the {place}, {h} stopped because there was {sound} {spot}."],
     ["a {size} {animal} sat {spot} and could not move its {body}.",
      "it was a {size} {animal} with a hurt {body}, and it looked {bad}.",
      "a {size} {any_color} {animal} had fallen into the water near the {place2}."], EXTRA],
    [["\"do not be afraid,\" said {hero} {softly}. \"I will bring you some {any_food} and a {tool}.\"",
      "\"please help me,\" said the {animal}. \"my {body} hurts and I am {bad}.\"",
      "\"how did you get here?\" asked {hero}. \"I wanted to {activity} and fell,\" said the {animal}."],
     ["{h} {went} to the {any_place} and came back with a {tool} and a {any_color} blanket.",
      "{h} put {his} {color} {any_thing} {spot} and pulled {slowly}.",
      "together with the {neighbor}, {he} made a bed of {stuff} for the {animal}."],
     ["for {number} days the {animal} ate {food} and slept {spot}.",
      "every {period} {h} brought {any_food} and told the {animal} about the {any_place}.",
      "the {animal} drank some {any_color} milk and looked at {him} {softly}."], EXTRA],
    [["soon the {body} was well, and the {animal} could {activity} again.",
      "after {number} weeks the {animal} {went} around the {place} and felt {good}.",
      "at last the {animal} stood up, shook its {any_body} and {went} into the {any_place}."],
     ["as a gift, the {animal} gave {him} a {color} {thing} that it had found {spot}.",
      "from then on the {animal} and {hero} would {activity} every {weather} {period}.",
      "\"you saved me, {hero},\" said the {animal}. \"now I will always help you {activity}.\""]],
]

QUARREL = [
    [["{time}, {hero} and {other} found a {color} {thing} {spot}.",
      "{other} had a {adj} {thing}, and {hero} wanted to play with it {spot}.",
      "there was only one {adj} {thing} in the {place}, and both {hero} and {other} wanted it."],
     ["\"it is mine! I saw the {thing} first,\" said {hero} {softly}.",
      "\"give me the {color} {thing},\" said {other}, \"or I will not {activity} with you.\"",
      "{hero} pulled and {other} pulled until the {thing} [fell {spot}|broke|flew over the fence]."], EXTRA],
    [["{other} {went} away to the {place2} and felt {bad}.",
      "they did not speak for {number} [days|hours], and the {place} was very quiet.",
      "{h} sat {spot} with the {thing}, but it was no fun to {activity} alone."],
     ["\"why are you {bad}?\" asked {his} {family}. \"because of a {color} {thing},\" said {hero}.",
      "the {size} {animal} looked at {him} and said, \"A {thing} cannot {activity} with you.\"",
      "{his} {family} gave {him} some {food} and said {softly}, \"Go and talk to {other}.\""], EXTRA],
    [["{h} {went} to {other} and said, \"I am sorry. we can share the {color} {thing}.\"",
      "\"I am sorry too,\" said {other}, and {o_he} gave {him} [some {food}|a {any_color} {any_thing}|{o_his} hand].",
      "{spot} the two friends met again, and {hero} gave {other} the {adj} {thing}."],
     ["then they used the {thing} to {activity} and ate {food} together.",
      "{other} had it in the morning and {hero} had it in the evening, and both were {good}.",
      "they put the {thing} {spot}, where both of them could find it."]],
]

BUILD = [
    [["{h} wanted to build a {made} of {stuff} [for {friend}|for {his} {family}|{spot}].",
      "\"let us build a {made},\" said {friend} {time}.",
      "{time}, {hero} found a lot of {stuff} {spot} and had an idea: a {color} {made}!"],
     ["{he} took a {tool} and some {stuff} and worked [all {period}|until noon|very {slowly}].",
      "{friend} brought a {tool}, and {his} {family} brought {any_food} and {stuff}.",
      "they drew a plan with a {color} pen and put the {stuff} {spot}."], EXTRA],
    [["but the {made} was too {any_adj}, and after {number} minutes it fell {spot}.",
      "then the wind came, and the {made} broke into {number} pieces.",
      "a {size} {any_animal} jumped on the {made} and it fell down with {sound}."],
     ["{h} felt {bad} and wanted to stop, but {friend} said, \"Try again with more {stuff}.\"",
      "\"what did we do wrong?\" asked {hero}. \"we need a {adj} {tool},\" said the {neighbor}.",
      "{he} kicked the {stuff} and sat {spot} for a long time, feeling {bad}."],
     ["the next {period} they began again, this time with {stuff} and {stuff}.",
      "{h} asked the {neighbor}, who knew how to {activity}, and they tied it with a {any_color} rope.",
      "so {he} {went} to the {place2} and came back with {number} {any_adj} boards."], EXTRA],
    [["at last the {made} stood {spot}, {adj} and {color}.",
      "this time the {made} was {adj} and {any_adj}, and it did not fall.",
      "when the {made} was ready, even the {neighbor} came to see it and was {good}."],
     ["they sat beside it and ate {food}, and {friend} began to {activity}.",
      "\"we did it,\" said {hero} {softly}, and {friend} felt {good}."]],
]

STORM = [
    [["{time}, {h} and {friend} {went} to the {place2} to {activity}.",
      "they were far from home, near the {place2}, when the sky became {color} and {any_color}.",
      "on the way to the {place2} with a basket of {food}, {hero} saw {adj} clouds."],
     ["then came the storm, with [wild|cold|strong|loud] wind, and the rain fell on the {place2}.",
      "snow began to fall, and soon {h} could not see the {any_place} any more.",
      "suddenly there was thunder and {sound}, and {friend} was {bad}."], EXTRA],
    [["\"we must find a dry place,\" said {hero}. \"maybe {spot}.\"",
      "they {went} {slowly} past the {any_place} and held hands, and both were {bad}.",
      "{spot} they found a {adj} {any_thing}, but no place to hide."],
     ["then {h} saw a {color} light [near the {any_place}|{spot}] and {went} there {slowly}.",
      "a {size} {any_animal} came and said, \"Follow me to the {any_place}.\"",
      "at last they came to the house of a {kind} {neighbor}, and {h} knocked {number} times."],
     ["\"come in,\" said the {neighbor}. \"I have {any_food} and a {any_color} blanket for you.\"",
      "inside there was a fire, and the {neighbor} gave them {any_food} and hot {food}.",
      "the {neighbor} was {kind} and told them how to {activity} while they waited."], EXTRA],
    [["in the morning the storm was over, and the {place2} looked {adj} and {color}.",
      "after {number} hours the rain stopped, and they {went} home {slowly}.",
      "when the wind was quiet again, {his} {family} came with a {any_color} lantern and was {good}."],
     ["{h} gave the {neighbor} a {color} {thing} to say thank you.",
      "the next {period} {hero} brought some {any_food} to the {neighbor} and helped {activity}."]],
]

GIFT = [
    [["it was the birthday of {his} {family}, and {h} had no gift, only {number} coins.",
      "soon it would be the birthday of {friend}, and {hero} wanted to give a {adj} {thing}.",
      "{h} wanted to surprise {his} {family} with a {color} {thing}."],
     ["{he} {went} to the {place2}, but every {thing} there was too {any_adj} or cost {number} coins.",
      "\"what would make a good gift?\" {he} asked the {neighbor} at the {place2}.",
      "{friend} said, \"Give some {any_food} or a {any_color} {any_thing}.\""], EXTRA],
    [["so {h} [took|found|asked for] some {stuff} and a {tool} and began to make a {thing}.",
      "\"I will make a {thing} myself,\" said {hero}, \"out of {stuff} and {stuff}.\"",
      "{h} {looked} {spot} and found {stuff}, and {friend} found a {any_color} {any_thing}."],
     ["{he} worked {slowly} for {number} nights, {spot}, where nobody could see {him}.",
      "first it was too {any_adj}, then too {any_adj}, but {h} did not stop.",
      "{friend} held the {tool}, and {hero} painted the {thing} {color} and {any_color}."], EXTRA],
    [["on the day of the party they had {food} and {any_food}, and the {neighbor} began to {activity}.",
      "{time}, {h} hid the {thing} {spot} and waited until everybody had eaten the {food}.",
      "many people came to the party with {any_adj} gifts: a {any_color} {any_thing} and a {any_adj} {any_thing}."],
     ["\"this {color} {thing} is the best gift of all,\" {he} heard, \"because you made it yourself.\"",
      "everybody looked at the {adj} {thing}, and {h} felt {good} and {good}.",
      "\"a {thing}! how did you know?\" There were tears and laughter, and then more {food}."]],
]

FEAR = [
    [["there was one thing that made {hero} {bad}: {fear}.",
      "{h} could {activity} and {activity}, but {he} was afraid of {fear}.",
      "because of {fear}, {h} never {went} to the {place2} alone."],
     ["{time}, {his} {family} needed {any_food} from the {place2}, and nobody else could go.",
      "{time}, the {color} {thing} of {friend} fell {spot} in the {place2}.",
      "one {weather} {period}, {friend} did not come home from the {place2}."], EXTRA],
    [["\"I cannot do it,\" said {hero}. \"what if there is {sound}?\"",
      "{h} stood {spot} for {number} minutes, and {his} heart beat [fast|loudly|in {his} ears].",
      "\"I am {bad} too,\" said {friend}, \"but we can go together and {activity}.\""],
     ["{his} {family} gave {him} a {adj} {any_thing} and said, \"Hold it and think of {any_food}.\"",
      "{h} sang a song about a {size} {any_animal} and {went} {slowly} into the {place2}.",
      "step by step, {hero} {went} on, past a {color} {any_thing} and a {size} {any_animal}."],
     ["then there was {sound}! But it was only a {size} {any_animal} with some {any_food}.",
      "something {color} moved {spot}, but it was just a {adj} {any_thing} in the wind.",
      "a {size} {any_animal} said, \"Are you afraid of {fear} as well? Come, we can walk together.\""], EXTRA],
    [["in the end {h} found what {he} was looking for {spot} and {went} home {slowly}.",
      "soon {h} came out of the {place2} with {friend}, and {he} felt {good}.",
      "when {hero} came back, {his} {family} was {good} and made {food}."],
     ["since that {period} {h} is no longer afraid of {fear}.",
      "\"when I am afraid of {fear},\" said {hero} {softly}, \"I just {activity}.\""]],
]

CONTEST = [
    [["every year there was a {contest} at the {place}, and the prize was a {color} {thing}.",
      "\"tomorrow is the {contest},\" said {friend}. \"the winner gets a {adj} {thing}.\"",
      "{hero} and {friend} wanted to win the {contest} near the {place2}."],
     ["{h} practiced {spot} for {number} days and ate a lot of {food}.",
      "but {friend} was {bad} because a {size} {any_animal} was [faster|better|older] than all the others.",
      "the {neighbor} laughed and said, \"You are too {any_adj} for the {contest}.\""], EXTRA],
    [["on the {weather} {period} of the {contest}, {number} children and a {size} {any_animal} came to the {place}.",
      "a {neighbor} in a {color} hat rang a bell, and the {contest} began.",
      "at first {h} was ahead of {other}, and everybody [shouted|clapped] {softly}."],
     ["then {h} saw that {friend} had fallen {spot} and looked {bad}.",
      "near the {place2} a {size} {any_animal} [lay|sat] {spot} and needed help.",
      "in the middle of the {contest}, {his} {any_thing} broke, and {he} felt {bad}."],
     ["{h} could win or help, and {he} [stopped|turned back|put down the {any_thing}] {slowly}.",
      "\"take my {any_color} {any_thing},\" said {friend}, \"and go on.\"",
      "\"the {thing} is not so important,\" thought {hero}, and {h} {went} back {spot}."], EXTRA],
    [["{hero} came in last, but the {neighbor} gave {him} a {any_color} {any_thing} for a {kind} heart.",
      "in the end {other} won the {thing} and gave it to {hero}, because {he} was so {kind}.",
      "they crossed the line together, {slowly}, and both got the {color} {thing}."],
     ["that evening they had {food} for all, and the {neighbor} began to {activity}.",
      "{friend} was {good}, and everyone at the {place} ate {any_food} and {food}."]],
]

PLANT = [
    [["{time}, the {neighbor} gave {hero} a {color} seed and said, \"It will be a {plant}.\"",
      "{h} found {number} seeds {spot} and wanted to grow a {plant}.",
      "\"what is in the {any_color} box?\" asked {hero}. \"the seed of a {plant},\" said {his} {family}."],
     ["{he} took a {tool}, made a hole {spot} and put the seed into the ground.",
      "{friend} helped {him} to plant it near the {place}, {spot}.",
      "{h} gave it water every {period} from a {color} cup and sang to it {softly}."], EXTRA],
    [["for {number} days nothing happened, and {h} felt {bad}.",
      "\"why does it not grow?\" {he} asked {friend} after {number} days.",
      "a {size} {any_animal} wanted to eat the seed, but {hero} gave it {any_food} instead."],
     ["\"you must wait,\" said the {neighbor}. \"a {plant} needs sun, water and {number} weeks.\"",
      "the weather was {any_weather} and then {weather}, and {hero} sat {spot} and waited.",
      "{his} {family} said {softly}, \"Good things need time, like {any_food} in the oven.\""],
     ["{time}, there was something {color} and {adj} {spot}: the first leaf!",
      "then a {any_color} leaf came out of the ground, and {h} called {friend} {softly}.",
      "after the {any_weather} {period} the {plant} was as tall as a {any_animal}."], EXTRA],
    [["in the summer the {plant} was {adj} and taller than {his} {any_family}.",
      "soon everybody came from the {place2} to see the {color} {plant} and to {activity} beside it.",
      "at last the {plant} was ready, and they made {any_food} for the whole {place}."],
     ["{h} gave some of it to {friend} and some of it to the {any_neighbor}.",
      "{hero} kept {number} seeds in a {color} {any_thing} for the next year."]],
]

ENDINGS = [
    ["that night {h} told {his} {family} about the {thing} and [soon|then] fell asleep.",
     "and {hero} learned that {lesson}.",
     "after that, {hero} and {friend} met every {weather} {period} to {activity}.",
     "\"{lesson},\" said {his} {family}, and {hero} [smiled|nodded|agreed] {softly}.",
     "since then {h} knows that {lesson}, and {friend} knows it too.",
     "in the evening they ate {food} and {any_food} at the {place}, and everyone was {good}.",
     "{h} was {good}, {friend} was {good}, and the {color} moon shone over the {place}.",
     "and if you go to the {place} on a {weather} {period}, you can see {hero} and {friend} {activity}.",
     "{hero} never forgot that {period} at the {place2}, and kept a {any_color} {any_thing} to remember it.",
     "so {hero} went home with {friend}, {good} and a little {any_feel}."],
]

PLOTS = {"lost": LOST, "earn": EARN, "rescue": RESCUE, "quarrel": QUARREL, "build": BUILD, "storm": STORM, "gift": GIFT,
         "fear": FEAR, "contest": CONTEST, "plant": PLANT}
