use crate::web::markup::tests::{shows, stays};

#[test]
fn marks_make_words_bold_italic_struck_and_code() {
    shows(&[
        ("*bold*", "<strong>bold</strong>"),
        ("_italic_", "<em>italic</em>"),
        ("~struck~", "<s>struck</s>"),
        ("`code`", "<code>code</code>"),
        ("a *few words* b", "a <strong>few words</strong> b"),
        (
            "(*a*), \"_b_\"!",
            "(<strong>a</strong>), &quot;<em>b</em>&quot;!",
        ),
        ("*a* *b*", "<strong>a</strong> <strong>b</strong>"),
        ("*a*\n*b*", "<strong>a</strong>\n<strong>b</strong>"),
        (
            "*ж* _日本_ ~é~",
            "<strong>ж</strong> <em>日本</em> <s>é</s>",
        ),
        ("❤️*a* *❤️*", "❤️<strong>a</strong> <strong>❤️</strong>"),
    ]);
}

#[test]
fn different_marks_nest() {
    shows(&[
        ("*_~all~_*", "<strong><em><s>all</s></em></strong>"),
        (
            "*bold _both_ bold*",
            "<strong>bold <em>both</em> bold</strong>",
        ),
        ("_a *b* ~c~_", "<em>a <strong>b</strong> <s>c</s></em>"),
        ("*`code`*", "<strong><code>code</code></strong>"),
    ]);
}

#[test]
fn marks_that_overlap_stay_literal_on_the_inside() {
    shows(&[
        ("*a _b* c_", "<strong>a _b</strong> c_"),
        ("_a *b_ c*", "<em>a *b</em> c*"),
        ("*foo *bar*", "*foo <strong>bar</strong>"),
        ("*foo _x *bar*_", "*foo <em>x <strong>bar</strong></em>"),
    ]);
}

#[test]
fn marks_inside_words_beside_spaces_or_alone_stay_literal() {
    stays(&[
        "*",
        "_",
        "~",
        "`",
        "**",
        "* *",
        "2*3*4",
        "2 * 3 * 4",
        "snake_case_name",
        "*open",
        "close*",
        "* a *",
        "*a *",
        "* a*",
        "*a*b",
        "a*b*",
        "*one\ntwo*",
        "`one\ntwo`",
        "` a `",
        "a`b`",
        "`a`b",
        "~/a and b~c",
        "__init__",
        "**not markdown**",
        "~~neither~~",
        "``",
        "``a``",
        "* item\n* item",
        "¯\\_(ツ)_/¯",
        "*️⃣ a*️⃣",
        "हिन्दी_क_",
        "*\u{a0}a*",
    ]);
}
