namespace Godwit.ApiServer.Tests;

/// <summary>How the API is discovered over the wire; what is in the documents is tested where they are made.</summary>
public sealed class DiscoveryTests
{
    /// <summary>What kubectl 1.32 asks for. It compares the answer's type letter by letter, and asks for each group apart, without a word, when it is another.</summary>
    private const string Asked = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

    [Theory]
    [InlineData("/api", Asked, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")]
    [InlineData("/apis", Asked, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")]
    [InlineData("/apis", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")]
    [InlineData("/apis", "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", "application/json")]
    [InlineData("/apis", "application/json", "application/json")]
    public async Task The_type_of_an_answer_is_letter_by_letter_what_was_asked_for(string path, string accept, string type)
    {
        await using var server = await TestServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        Assert.True(request.Headers.TryAddWithoutValidation("Accept", accept));

        using var answer = await server.Admin.SendAsync(request, TestServer.Stopping);

        Assert.Equal(type, answer.Content.Headers.NonValidated["Content-Type"].ToString());
    }
}
