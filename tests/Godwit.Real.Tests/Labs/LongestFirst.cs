using Godwit.Real.Tests.Examples;
using Godwit.Real.Tests.Labs;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace Godwit.Real.Tests.Labs;

/// <summary>The collections that take longest begin first: two run at a time, and none of these should be left over when all others are done.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Longest = [FaultLabCollection.Name, LabCollection.Name, ExampleCollection.Name];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(collection => Array.IndexOf(Longest, collection.TestCollectionDisplayName) is var place and >= 0 ? place : Longest.Length)];
}
