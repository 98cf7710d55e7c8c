//! What the people of the demo talk about: three who run a repair café. Data alone.
//!
//! It speaks of no weekday and no hour, because it always ends a few minutes before somebody looks at it.

use Deed::{Deletes, Edits, Reads, Says};
use Place::{AdaAndBen, AdaAndCarla, Developers, General, Random};
use Who::{Ada, Ben, Carla};

/// Where something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    General,
    Developers,
    Random,
    AdaAndBen,
    AdaAndCarla,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    Ada,
    Ben,
    Carla,
}

/// What they do.
#[derive(Debug, Clone, Copy)]
pub enum Deed {
    /// Posts this.
    Says(&'static str),
    /// Gives their last message there another text.
    Edits(&'static str),
    /// Deletes their last message there.
    Deletes,
    /// Reads the place to its end (who writes has read it anyway).
    Reads,
}

/// Minutes after the step before, where, who, what.
pub type Step = (u64, Place, Who, Deed);

/// The whole talk: three days, in order.
#[rustfmt::skip]
pub const TALK: &[Step] = &[
    (0, General, Ada, Says("Welcome, both of you! 🎉 The repair café lives here from now on. No more mails with eleven people in copy.")),
    (2, General, Ben, Says("It's so quiet here. I like it.")),
    (1, General, Carla, Says("Does that mean I can stop searching for *the* mail with *the* list?")),
    (1, General, Ada, Says("It does. What is said here stays here.")),
    (4, General, Ada, Says("So: the hall is ours again, four tables, same caretaker. Who brings what?")),
    (3, General, Ben, Says("Two soldering stations, the good multimeter, and the box of screws that fit nothing")),
    (2, General, Carla, Says("Sewing machine, and cake. The lemon one, before anyone asks.")),
    (1, General, Ben, Says("I was going to ask")),
    (1, General, Carla, Says("I know 🍋")),
    (6, Random, Carla, Says("Does anybody want a cactus? It has outgrown my window sill, and now it has opinions.")),
    (3, Random, Ben, Says("What kind of opinions?")),
    (1, Random, Carla, Says("Mostly about curtains.")),
    (5, Random, Ada, Says("I'll take it. My balcony needs somebody with a strong character.")),
    (18, Developers, Ada, Says("A room for the booking page. First thing: people can book a slot that is already over. Somebody has just reserved _last week_.")),
    (7, Developers, Ben, Says("Optimistic. I'll look.")),
    (26, Developers, Ben, Says("Found it. The form asks the server for the time, and the server thinks it lives in Greenwich:\n```\n- let open = slot.start > server.now();\n+ let open = slot.start > hall.now();\n```\nNow it asks the hall.")),
    (4, Developers, Ada, Says("One line. I love it when it is one line.")),
    (9, Developers, Carla, Says("I understood \"now it asks the hall\" and that is enough for me 👍")),
    (12, AdaAndCarla, Carla, Says("The poster, third try: https://example.org/poster-3")),
    (6, AdaAndCarla, Ada, Says("Oh, that's *lovely*. The toaster has a face!")),
    (1, AdaAndCarla, Carla, Says("It was an accident, and then I kept it")),
    (2, AdaAndCarla, Ada, Says("One thing: it doesn't say when. Everything else stays exactly like this.")),
    (3, AdaAndCarla, Carla, Says("I looked at that poster for four hours 🙈")),
    (14, AdaAndCarla, Carla, Says("https://example.org/poster-4 says when")),
    (2, AdaAndCarla, Ada, Says("Print it. Print it *big*.")),

    (1_270, General, Ben, Says("Somebody left a radio at my door. No note. Just the radio.")),
    (2, General, Carla, Says("Your reputation precedes you.")),
    (31, General, Ben, Says("It's from 1962 and it *works*. It only needed a new plug and somebody to believe in it.")),
    (3, General, Ada, Says("Photo for the wall, please. And find the owner before you get attached.")),
    (1, General, Ben, Says("Too late. Her name is Marguerite.")),
    (24, Developers, Ben, Says("The fix is live. I also wrote a test: it books a table in 1970 and expects to be turned away")),
    (8, Developers, Ada, Says("What does the page say then?")),
    (1, Developers, Ben, Says("`This slot is over, and so is disco.`")),
    (2, Developers, Ada, Says("Please change that before somebody sees it 😄")),
    (4, Developers, Ben, Edits("`This slot is over. Please choose a later one.`")),
    (1, Developers, Ben, Says("Changed. Here too. History is written by the editors.")),
    (22, Random, Ben, Says("A riddle from my workbench: a lamp that only shines when you *don't* press the switch")),
    (5, Random, Carla, Says("Same as my cat.")),
    (12, Random, Ada, Says("Somebody wired it the wrong way round?")),
    (2, Random, Ben, Says("It was a moth. Inside the switch. An actual bug.")),
    (1, Random, Carla, Says("😂😂")),
    (9, AdaAndBen, Ben, Says("Carla's birthday is next week. It's ~a secret~ in the shared calendar.")),
    (3, AdaAndBen, Ada, Says("A surprise cake, for the one who bakes all our cakes? Bold.")),
    (2, AdaAndBen, Ben, Says("I'd rather *repair* something for her. Her bicycle bell?")),
    (1, AdaAndBen, Ada, Says("The one that goes _pling_ and then falls off? Yes. Yes!")),
    (4, AdaAndBen, Ben, Says("I'll unscrew it while she carries in the sewing machine. You keep her busy with questions about the poster.")),
    (1, AdaAndBen, Ada, Says("I have trained for this my whole life.")),

    (1_325, General, Carla, Says("Posters are up: library, bakery, both schools, and the pharmacy, which asked for two")),
    (5, General, Ada, Says("You are unstoppable. So far:\n✅ hall\n✅ posters\n🍋 cake\n❓ first-aid kit")),
    (8, General, Ben, Says("The first-aid kit is in my van, under the soldering stations. Which tells you something about the order of events.")),
    (6, General, Carla, Says("milk, blue yarn, call the dentist!!")),
    (1, General, Carla, Deletes),
    (1, General, Ben, Says("Milk, blue yarn, dentist. Got it 😄")),
    (1, General, Carla, Says("You saw nothing.")),
    (16, Developers, Carla, Says("The bakery asks: can people see how many slots are left _before_ they click?")),
    (7, Developers, Ben, Says("Not yet. It's one count a day, that's easy")),
    (2, Developers, Ada, Says("Put it on the button: `Book (3 left)`. Numbers make people kind and quick.")),
    (48, Developers, Ben, Says("Done, for now at https://example.org/book?preview=1 – colours are Carla's department")),
    (6, Developers, Carla, Says("Green down to three, amber down to one, and then the word *full*. Not red. Nobody did anything wrong.")),
    (3, Developers, Ada, Says("This is why you are in this room ❤️")),
    (11, Random, Ada, Says("The cactus has moved in. It is called Herbert, and it already disapproves of the wind chimes next door.")),
    (4, Random, Carla, Says("He has that from me.")),
    (2, Random, Ada, Reads),
    (20, AdaAndCarla, Ada, Says("A poster question: would you call this *teal* or _petrol_?")),
    (2, AdaAndCarla, Carla, Says("Why? You never ask about shades.")),
    (1, AdaAndCarla, Ada, Says("I am growing as a person.")),
    (3, AdaAndCarla, Carla, Says("… teal.")),
    (1, AdaAndCarla, Ada, Reads),

    (1_290, General, Ada, Says("The numbers: *31 bookings*, four tables, one cake. We may need a second cake.")),
    (2, General, Carla, Says("The second cake is in the oven. I read the numbers before you do 😌")),
    (7, General, Ben, Says("Marguerite's owner has written! She is 84, she built that radio with her father, and she is coming to see it.")),
    (1, General, Ada, Says("Ben. I am crying at the bus stop.")),
    (2, General, Carla, Says("She gets the first slice.")),
    (1, General, Ada, Says("And the first table. See you both at the hall!")),
    (9, Developers, Carla, Says("A very long name runs out of the box on the confirmation. I tried `Maximiliana Wolkenstein-Hohenlohe-Schillingsfürst`")),
    (5, Developers, Ben, Says("Of course you did.\n```\n.confirmation {\n  overflow-wrap: anywhere;\n}\n```")),
    (3, Developers, Carla, Says("Fits. Maximiliana thanks you.")),
    (4, Random, Ben, Says("News of the moth: I let it out of the window, and it flew straight into the lamp shop across the street")),
    (2, Random, Carla, Says("A moth with a career.")),
    (6, AdaAndBen, Ben, Says("The bell is done. It goes _pling_ and stays on 🔔")),
    (1, AdaAndBen, Ben, Says("I wrapped it in the manual of a toaster, so that she thinks it's work")),
];
