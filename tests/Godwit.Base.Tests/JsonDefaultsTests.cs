using System.Text.Json.Nodes;

namespace Godwit.Base.Tests;

public sealed class JsonDefaultsTests
{
    [Fact]
    public void What_is_missing_is_filled_in_and_what_is_there_stays()
    {
        var read = JsonNode.Parse("""{"name":"a","inner":{"kept":1,"list":[]},"state":{"kind":"other"},"nothing":null}""")!.AsObject();
        var standard = JsonNode.Parse("""{"name":"","added":"x","inner":{"kept":0,"list":[5],"deep":{"new":true}},"state":{"kind":"one","extra":1},"nothing":{"some":1}}""")!.AsObject();
        JsonDefaults.Complete(read, standard, "kind");
        Assert.Equal("""{"name":"a","inner":{"kept":1,"list":[],"deep":{"new":true}},"state":{"kind":"other"},"nothing":null,"added":"x"}""", read.ToJsonString());
        Assert.Equal(5, standard["inner"]!["list"]![0]!.GetValue<int>()); // It may be used again.
    }
}
