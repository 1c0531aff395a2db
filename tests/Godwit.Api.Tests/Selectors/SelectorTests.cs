using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery.Selectors;

namespace Godwit.Api.Tests.Selectors;

public sealed class SelectorTests
{
    private static readonly Dictionary<string, string> Labels = new()
    {
        ["app"] = "web",
        ["tier"] = "front",
        ["empty"] = "",
        ["size"] = "12",
        ["example.com/x"] = "y",
    };

    [Theory]
    [InlineData("", true)]
    [InlineData("app", true)]
    [InlineData("!app", false)]
    [InlineData("none", false)]
    [InlineData("!none", true)]
    [InlineData("app=web", true)]
    [InlineData("app==web", true)]
    [InlineData(" app = web , tier = front ", true)]
    [InlineData("app=web,tier=back", false)]
    [InlineData("app!=db", true)]
    [InlineData("none!=db", true)]
    [InlineData("empty=", true)]
    [InlineData("app=", false)]
    [InlineData("app in (web,db)", true)]
    [InlineData("app in ( db )", false)]
    [InlineData("app notin (db)", true)]
    [InlineData("none notin (db)", true)]
    [InlineData("none in (db)", false)]
    [InlineData("empty in (,a)", true)]
    [InlineData("size>11", true)]
    [InlineData("size>12", false)]
    [InlineData("size<13", true)]
    [InlineData("app>1", false)]
    [InlineData("example.com/x=y", true)]
    [InlineData("in in (in),app", false)]
    public void A_label_selector_selects(string selector, bool expected) =>
        Assert.Equal(expected, LabelSelector.Parse(selector).Matches(Labels));

    [Theory]
    [InlineData("=a")]
    [InlineData("a,")]
    [InlineData(",a")]
    [InlineData("a b")]
    [InlineData("a in b")]
    [InlineData("a in (b")]
    [InlineData("a in b)")]
    [InlineData("a=b=c")]
    [InlineData("a=b c")]
    [InlineData("a/b/c")]
    [InlineData("../x=1")]
    [InlineData("a=../x")]
    [InlineData("a>x")]
    [InlineData("!")]
    [InlineData("!a=b")]
    [InlineData("a=$(x)")]
    public void What_is_no_label_selector_is_refused(string selector) =>
        Assert.Throws<FormatException>(() => LabelSelector.Parse(selector));

    [Fact]
    public void A_label_selector_survives_being_printed_and_read() =>
        Selectors.Sample(selector =>
        {
            var again = LabelSelector.Parse(selector.ToString());
            Assert.Equal(selector.ToString(), again.ToString());
            Assert.Equal(selector.Matches(Labels), again.Matches(Labels));
        });

    [Fact]
    public void Any_text_is_read_or_refused_as_a_label_selector() =>
        Gen.String[Gen.Char["abin(),=!<> ./1"], 0, 30].Sample(text =>
        {
            try
            {
                _ = LabelSelector.Parse(text).Matches(Labels);
            }
            catch (FormatException)
            {
                // Refused in words, which is what is asked.
            }
        });

    [Theory]
    [InlineData("metadata.name=a", true)]
    [InlineData("metadata.name!=a", false)]
    [InlineData("metadata.name==a,metadata.namespace=default", true)]
    [InlineData("involvedObject.name=vm,involvedObject.kind=VirtualMachine", true)]
    [InlineData("involvedObject.uid=", true)]
    [InlineData("reason=with\\,comma", true)]
    [InlineData("", true)]
    public void A_field_selector_selects(string selector, bool expected)
    {
        var resource = JsonNode.Parse("""{"metadata":{"name":"a","namespace":"default"},"involvedObject":{"name":"vm","kind":"VirtualMachine"},"reason":"with,comma"}""")!.AsObject();
        var definition = BuiltInKinds.All.Single(kind => kind is { Kind: "Event", Group: "" });

        Assert.Equal(expected, FieldSelector.Parse(selector).For(definition)(resource));
    }

    [Theory]
    [InlineData("metadata.name")]
    [InlineData("a=b=c")]
    [InlineData("a=b\\c")]
    [InlineData("a=b\\")]
    public void What_is_no_field_selector_is_refused(string selector) =>
        Assert.Throws<FormatException>(() => FieldSelector.Parse(selector));

    [Fact]
    public void A_field_that_the_kind_does_not_offer_is_refused_by_name()
    {
        var selector = FieldSelector.Parse("spec.secret=x");

        var error = Assert.Throws<FormatException>(() => selector.For(BuiltInKinds.All.Single(kind => kind.Kind == "ConfigMap")));
        Assert.Contains("field label not supported: spec.secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_field_selector_survives_being_printed_and_read() =>
        Gen.String[Gen.Char["ab,=\\!"], 0, 12].Sample(value =>
        {
            var selector = new FieldSelector([new FieldRequirement("metadata.name", IsEqual: false, value)]);
            Assert.Equal(value, Assert.Single(FieldSelector.Parse(selector.ToString()).Requirements).Value);
        });

    private static Gen<string> Word(params string[] words) => Gen.OneOf([.. words.Select(Gen.Const)]);

    private static Gen<LabelSelector> Selectors { get; } =
        Gen.Select(Word("app", "tier", "none", "example.com/x"), Gen.Enum<SelectorOperator>(), Word("web", "front", "", "a-b").HashSet[1, 3], Gen.Int[0, 20])
            .Select((key, comparison, values, bound) => new LabelRequirement(key, comparison, comparison switch
            {
                SelectorOperator.Exists or SelectorOperator.NotExists => [],
                SelectorOperator.GreaterThan or SelectorOperator.LessThan => [bound.ToString(System.Globalization.CultureInfo.InvariantCulture)],
                _ => [.. values.Order(StringComparer.Ordinal)],
            }))
            .List[0, 4].Select(requirements => new LabelSelector(requirements));
}
